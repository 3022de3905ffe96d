"""Inventories as the pipeline asks for them: by container.

In: containers that start. Out: the inventory of a container's image, once there is one, and those whose SBOM is another
image's. Why apart from ``Keeper``: it knows images and directories; which directories an image's layers are is seen
from the container's own mounts, while it runs. Next: ``pipeline``.
"""

from __future__ import annotations

import os
from collections import OrderedDict

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.keeper import Keeper
from driftline.nouns import ExecEvent, LoadEvent, Loss, OpenEvent, RecordFlag, Subject
from driftline.verdict.contents import Contents
from driftline.verdict.copyup import find_overlay, layers_of, mountinfo_of
from driftline.verdict.worker import ContentsTask

MAX_MET = 1_024
"""Images whose first container is remembered, to name one when an SBOM does not fit. The oldest goes first."""
_IS_INIT = int(RecordFlag.IS_INIT)


_SYS_ADMIN = 1 << 21  # linux/capability.h


def may_read_layers() -> bool:
    """Whether this process may show an image's layers as one directory: that is a mount, for CAP_SYS_ADMIN alone."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        effective = next((line for line in file if line.startswith("CapEff:")), "CapEff: 0")
    return bool(int(effective.split()[1], 16) & _SYS_ADMIN)


class Inventories:
    """Belongs to the pipeline's thread. ``keeper``: None where nobody reads images; ``bases``: see ``layers_of``."""

    def __init__(self, keeper: Keeper | None = None, bases: tuple[str, ...] = ()) -> None:
        self._keeper, self._bases = keeper, bases
        self._met: OrderedDict[str, Subject] = OrderedDict()
        self.contents = Contents()
        self.unplaced = 0
        """Containers whose image's layers could not be found: the next one of the image is asked again."""

    def of(self, subject: Subject) -> Inventory | None:
        """Return what the image of ``subject`` ships, None while nobody knows."""
        return self.of_image(subject.image_digest)

    def of_image(self, digest: str) -> Inventory | None:
        """Return the same for an image."""
        return self._keeper.get(digest) if self._keeper and digest else None

    def is_coming(self, digest: str) -> bool:
        """Whether the inventory of an image is being made, or the files that ran are being compared with it."""
        if self._keeper is None:
            return False
        return self._keeper.is_coming(digest) or (self.of_image(digest) is not None and self.contents.is_open(digest))

    def see_code(self, event: ExecEvent | LoadEvent | OpenEvent, subject: Subject, init: int) -> None:
        """A container used a file as code: it is compared once its image's inventory is there."""
        image = subject.image_digest
        if self._keeper is not None and image and (self._keeper.is_coming(image) or self._keeper.get(image)):
            self.contents.see(event, subject, init)

    def code_to_compare(self) -> list[ContentsTask]:
        """Return some of the files used as code whose turn it is."""
        keeper = self._keeper
        if keeper is None:
            return []
        return self.contents.ready(self.of, lambda subject: keeper.is_coming(subject.image_digest))

    def of_exec(self, event: ExecEvent, subject: Subject) -> Inventory | None:
        """Return the same for an exec; a container's first, of its init by its runtime, has the image read."""
        if event.flags & _IS_INIT and not event.by_path:
            self._meet(subject, event.process.pid)
        return self.of(subject)

    def _meet(self, subject: Subject, init: int) -> None:
        image = subject.image_digest
        if self._keeper is None or not image or self._keeper.knows(image):
            return
        layers = _layers(init, self._bases)
        if not layers:
            self.unplaced += 1
            return
        self._met.setdefault(image, subject)
        if len(self._met) > MAX_MET:
            self._met.popitem(last=False)
        self._keeper.want(image, layers)

    def take_mismatches(self) -> list[tuple[Subject, Inventory]]:
        """Return the images whose SBOM turned out to be another's since the last call, each with a container of it."""
        ready = self._keeper.take_ready() if self._keeper else []
        return [(self._met[one.image], one) for one in ready if one.mismatches and one.image in self._met]

    def losses(self) -> list[Loss]:
        """Return and reset the images that have no inventory."""
        return self._keeper.losses() if self._keeper else []


def _layers(init: int, bases: tuple[str, ...]) -> tuple[str, ...]:
    """The image's layers as directories of the host, topmost first; empty if the process is gone, has no overlay, or
    its layers cannot be seen from here (an agent in a container of its own)."""
    try:
        overlay = find_overlay(mountinfo_of(init), "/")
    except OSError:
        return ()
    layers = tuple(layers_of(overlay, bases)) if overlay else ()
    return layers if all(map(os.path.isdir, layers)) else ()
