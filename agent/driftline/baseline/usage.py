"""Packages in use: reading an unmodified file that one of them ships is expected, whether it was learned or not.

In: the inventory of an image, the packages its baseline shows in use. Out: yes or no for an open. Why: a server reads
some of its package's files only on some days (a time zone, an error page, a plugin's messages); nobody reviews those
one by one, and nobody can have changed them: the kernel says they are the image's. Why not for every package: a shell's
or a compiler's files being read for the first time says that it is used. Next: ``inuse``.

A package is in use when one of its files was executed, loaded or read while the image was learned
(``packages.packages_used``).
"""

from __future__ import annotations

from collections.abc import Iterable

from driftline.baseline.behaviour import WRITE_BITS
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.schema import Package
from driftline.baseline.patterns.paths import sensitive_read
from driftline.nouns import OpenEvent, Origin, RecordFlag

MAX_REMEMBERED = 1_024
"""Answers remembered per image, some 150 KiB at most: the kernel's cache keeps repeats away, this those of its other
containers."""

_NO_PLAIN_READ = int(
    RecordFlag.DIRECTORY | RecordFlag.FOREIGN_MOUNT_NS | RecordFlag.PATH_TRUNCATED | RecordFlag.NAME_ONLY
)
"""A directory's listing is no package's content, and a path that may mean another file says nothing of its owner."""
_FORMAT, _REGULAR = 0o170000, 0o100000  # S_IFMT, S_IFREG
_IMAGE = Origin.IMAGE


class Usage:
    """The packages of one image in use. Belongs to the pipeline's thread."""

    __slots__ = ("_answers", "_inventory", "used")

    def __init__(self, inventory: Inventory, used: Iterable[Package] = ()) -> None:
        self._inventory = inventory
        self.used = frozenset(used)
        self._answers: dict[str, bool] = {}

    def expects(self, event: OpenEvent) -> bool:
        """Whether ``event`` reads an unmodified file of a package in use, and no secret.

        A file changed since has another origin than the image; one that was only touched is not taken for granted.
        """
        if event.file.origin is not _IMAGE or event.access & WRITE_BITS or event.flags & _NO_PLAIN_READ:
            return False
        if event.file.mode & _FORMAT != _REGULAR:
            return False
        answer = self._answers.get(event.file.path)
        return self._find(event.file.path) if answer is None else answer

    def _find(self, path: str) -> bool:
        if len(self._answers) >= MAX_REMEMBERED:
            self._answers.clear()
        answer = self._answers[path] = self._inventory.owner(path) in self.used and sensitive_read(path) is None
        return answer
