"""The inventories of the images that run here: made in the background, kept while they are needed.

In: images the agent meets. Out: their inventories, as soon as there are any. Why a thread: an image is read in a child
that takes seconds, and no event waits for it; until then a deviation says nothing about packages. Next: the pipeline
asks ``get`` when it tells a deviation.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace

from driftline.baseline.inventory.apart import Request, make_apart
from driftline.baseline.inventory.directory import sbom_of
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.packed import load, path_of
from driftline.baseline.inventory.schema import InventoryError
from driftline.nouns import Loss
from driftline.workthread import MAX_ERRORS, TaskThread

MAX_WAITING = 256
"""Images waiting to be read: a node runs fewer different ones at once."""
MAX_KEPT = 32
"""Inventories in memory, some 0.2 to 2 MiB each; beyond it the one longest not asked for is read again when needed."""
MAX_FAILED = 1_024
"""Images that could not be read, not tried again until the agent restarts."""
STOP_SECONDS = 1.0
"""Longest ``stop`` waits: a child still at work ends with the agent."""

_Wanted = tuple[str, tuple[str, ...]]  # see ``Keeper.want``


class Keeper:
    """Owns thread ``inventory``. ``sbom_dir``: SBOMs named after their images, "" for none; ``syft``: make them."""

    def __init__(self, state_dir: str, sbom_dir: str = "", syft: bool = False) -> None:
        self._state_dir, self._sbom_dir, self._syft = state_dir, sbom_dir, syft
        self._thread: TaskThread[_Wanted, InventoryError] = TaskThread(
            "inventory", "makes inventories", self._run, MAX_WAITING, most=MAX_ERRORS
        )
        self._changed = self._thread.changed
        self._kept: OrderedDict[str, Inventory] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()  # waiting, in hand, or failed
        self._coming: set[str] = set()  # waiting or in hand
        self._ready: deque[Inventory] = deque(maxlen=MAX_KEPT)
        self._failures = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def want(self, image: str, layers: tuple[str, ...]) -> None:
        """Have the inventory of ``image`` made, unless it is there, under way or known to fail.

        ``layers``: its directories, topmost first, without the container's writable one. Too many waiting: counted.
        """
        with self._changed:
            if not self.knows(image) and self._thread.put((image, layers)):
                self._remember(image)
                self._coming.add(image)

    def knows(self, image: str) -> bool:
        """Whether ``want`` has nothing to do for ``image``."""
        with self._changed:
            return image in self._kept or image in self._known

    def is_coming(self, image: str) -> bool:
        """Whether the inventory of ``image`` is waiting to be made, or being made."""
        with self._changed:
            return image in self._coming

    def take_ready(self) -> list[Inventory]:
        """Return the inventories that became ready since the last call, of many the last ``MAX_KEPT``."""
        with self._changed:
            ready = list(self._ready)
            self._ready.clear()
        return ready

    def get(self, image: str) -> Inventory | None:
        """Return the inventory of ``image``, None while there is none."""
        with self._changed:
            found = self._kept.get(image)
            if found is not None:
                self._kept.move_to_end(image)
            return found

    def take_errors(self) -> list[InventoryError]:
        """Return what went wrong since the last call. Raises DriftlineError, once, if the thread died."""
        return self._thread.take()

    def losses(self) -> list[Loss]:
        """Return and reset the images that have no inventory: too many waited, or they could not be read."""
        with self._changed:
            causes = {"images_full": self._thread.take_refused(), "unreadable": self._failures}
            self._failures = 0
        return [Loss("inventory", cause, count) for cause, count in causes.items() if count]

    def stop(self) -> bool:
        """End the thread after the image in hand; False if it did not end in ``STOP_SECONDS``."""
        return self._thread.stop(STOP_SECONDS)

    def _remember(self, image: str) -> None:
        self._known[image] = None
        if len(self._known) > MAX_FAILED + MAX_WAITING:
            self._known.popitem(last=False)

    def _run(self) -> None:
        while (task := self._thread.next()) is not None:
            self._make(*task)
            with self._changed:
                self._coming.discard(task[0])

    def _make(self, image: str, layers: tuple[str, ...]) -> None:
        try:
            inventory = self._load_or_make(image, layers)
        except InventoryError as error:
            with self._changed:
                self._failures += 1
            self._thread.give(error)
            return
        with self._changed:
            self._known.pop(image, None)
            self._kept[image] = inventory
            self._ready.append(inventory)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)

    def _load_or_make(self, image: str, layers: tuple[str, ...]) -> Inventory:
        """What an earlier agent kept, or a new one; a file that is damaged is told, and made anew."""
        try:
            kept = load(path_of(self._state_dir, image))
        except InventoryError as error:
            kept = None
            self._thread.give(error)
        if kept is not None:
            return kept
        sbom = sbom_of(self._sbom_dir, image) if self._sbom_dir else None
        request = Request(image=image, state_dir=self._state_dir, layers=layers, sbom=str(sbom or ""))
        if self._syft and sbom is None:
            try:
                return make_apart(replace(request, syft=True))
            except InventoryError as error:  # what the image's own databases say is there all the same
                self._thread.give(error)
        return make_apart(request)
