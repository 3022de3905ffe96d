"""Which files of an image that ran are still to be compared with what its packages recorded.

In: execs, loads and scripts of image files. Out: ``ContentsTask``s for the worker, a few at a time, once the image's
inventory is there. Why later: the inventory is made while the first container starts, and hashing all at once would
hold up the digests of deviations. Each file is compared once per image: what the layers hold does not change. Next:
``judge_contents``.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from driftline.baseline.inventory.inventory import Inventory
from driftline.nouns import ExecEvent, LoadEvent, OpenEvent, Origin, RecordFlag, Subject
from driftline.verdict.worker import ContentsTask

MAX_WAITING = 512
"""Files waiting for their image's inventory or their turn, half a MiB. One more is left to the next container."""
MAX_FILES = 1_024
"""Files remembered per image, 50 bytes each: programs and libraries in use, rarely over 200."""
MAX_IMAGES = 256
"""Images remembered; the one longest unused is compared again when it runs again."""
AT_ONCE = 8
"""Tasks handed out at a time, four times a second: some MiB of reading, on a thread that lets others first."""

_OF_IMAGE = frozenset({Origin.IMAGE, Origin.ROOTFS, Origin.UNKNOWN})
_UNSURE = int(RecordFlag.FOREIGN_MOUNT_NS | RecordFlag.PATH_TRUNCATED | RecordFlag.NAME_ONLY | RecordFlag.DIRECTORY)


class Contents:
    """Belongs to the pipeline's thread."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, set[str]] = OrderedDict()  # image → paths
        self._waiting: deque[ContentsTask] = deque()
        self._open: Counter[str] = Counter()  # image → files not compared yet
        self.skipped = 0
        """How often a bound left a file out: a figure for the agent's counters."""

    def see(self, event: ExecEvent | LoadEvent | OpenEvent, subject: Subject, init: int) -> None:
        """A container used a file as code; ``init``: pid of its init, whose root outlives others."""
        path, image = event.file.path, subject.image_digest
        if event.file.origin not in _OF_IMAGE or event.flags & _UNSURE:
            return
        seen = self._of(image)
        if path in seen:
            return
        if len(self._waiting) >= MAX_WAITING or len(seen) >= MAX_FILES:
            self.skipped += 1
            return
        seen.add(sys.intern(path))
        self._open[image] += 1
        self._waiting.append(ContentsTask(event, subject, init))

    def _of(self, image: str) -> set[str]:
        seen = self._seen.get(image)
        if seen is None:
            seen = self._seen[image] = set()
            if len(self._seen) > MAX_IMAGES:
                self._seen.popitem(last=False)
        else:
            self._seen.move_to_end(image)
        return seen

    def ready(
        self, inventory_of: Callable[[Subject], Inventory | None], is_coming: Callable[[Subject], bool]
    ) -> list[ContentsTask]:
        """Return the next tasks, at most ``AT_ONCE``, with the algorithm their digest needs.

        A file whose image has no inventory and gets none is left to a later container.
        """
        found: list[ContentsTask] = []
        for _ in range(len(self._waiting)):
            if len(found) == AT_ONCE:
                break
            task = self._waiting.popleft()
            inventory = inventory_of(task.subject)
            if inventory is None:
                if is_coming(task.subject):
                    self._waiting.append(task)
                else:
                    self.done(task)
                continue
            task.algorithm = inventory.algorithm(task.event.file.path)
            if task.algorithm:
                found.append(task)
            else:
                self._close(task)
        return found

    def done(self, task: ContentsTask) -> None:
        """A task came back; what could not be read is left to the next container."""
        self._close(task)
        if not task.digest:
            self._seen.get(task.subject.image_digest, set()).discard(task.event.file.path)

    def _close(self, task: ContentsTask) -> None:
        image = task.subject.image_digest
        self._open[image] -= 1
        if self._open[image] <= 0:
            del self._open[image]

    def is_open(self, image: str) -> bool:
        """Whether files of ``image`` that ran are not compared yet."""
        return image in self._open

    def give_up(self, cgroup: int) -> None:
        """A container is gone, and with it the way to its files."""
        for task in [one for one in self._waiting if one.subject.cgroup == cgroup]:
            self._waiting.remove(task)
            self.done(task)
