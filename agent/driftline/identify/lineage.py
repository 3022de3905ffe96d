"""Who ran what: the chain of program images behind a process.

In: exec events, and images of processes that ran before the agent. Out: up to 16 ancestors of an image, nearest first.
Why: a deviation is told with its process tree, and the parents have often exited by then; an image is therefore known
by its exec id, never by its pid. Next: ``verdict`` puts the ancestors into a deviation.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from driftline.nouns import ExecEvent, ExecImage, Loss, RecordFlag

MAX_ANCESTORS = 16
"""Deeper chains are not told: sixteen reach from a web service's shell to the container's init many times over."""
MAX_IMAGES = 8_192
"""Images remembered in all: at 500 to 900 bytes each under 7 MiB."""
MAX_PER_CONTAINER = 512
"""Images remembered of one container, so that one that forks without end only loses its own."""
START_UP_IMAGES = 32
"""The first images of a container are the ones that live long (init, servers): they go last."""
MAX_ARGUMENTS = 64
"""Arguments kept of one image; the deviation itself carries all that the kernel recorded."""
MAX_ARGUMENT_TEXT = 1_024
"""Characters kept of all its arguments together."""


class Seed(NamedTuple):
    """An image that was running before the agent."""

    image: ExecImage
    by_exec_id: int  # image of its parent process, 0 if outside the container
    cgroup: int


class _Entry(NamedTuple):
    image: ExecImage
    by_exec_id: int
    cgroup: int


class Lineage:
    """The images of all containers. Least recently used ones go first, start-up images and small containers last."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._start_up: dict[int, OrderedDict[int, None]] = {}
        self._recent: dict[int, OrderedDict[int, None]] = {}
        self._missing: Counter[int] = Counter()
        self.evictions = 0
        """Images forgotten for lack of room. Not a loss by itself: most had exited long ago."""

    def __len__(self) -> int:
        return len(self._entries)

    def record(self, event: ExecEvent) -> None:
        """Remember the image of an exec. Exec id 0 (unknown) is not remembered."""
        process = event.process
        entered = bool(event.flags & RecordFlag.ENTERED)
        image = ExecImage(
            process.exec_id,
            process.pid,
            process.start_ns,
            sys.intern(event.file.path),
            _cut(event.argv),
            process.uid,
            entered,
        )
        self._add(_Entry(image, event.by_exec_id, event.cgroup))

    def seed(self, seeds: Iterable[Seed]) -> None:
        """Remember images that ran before the agent, parents first."""
        for seed in seeds:
            self._add(_Entry(seed.image, seed.by_exec_id, seed.cgroup))

    def image(self, exec_id: int) -> ExecImage | None:
        """Return the image, None if it is unknown or forgotten."""
        entry = self._entries.get(exec_id)
        return entry.image if entry else None

    def ancestors(self, exec_id: int) -> tuple[ExecImage, ...]:
        """Return the images that led to ``exec_id``, nearest first, without itself; at most ``MAX_ANCESTORS``."""
        found: list[ExecImage] = []
        entry = self._entries.get(exec_id)
        while entry and entry.by_exec_id and len(found) < MAX_ANCESTORS:
            self._touch(entry)
            above = self._entries.get(entry.by_exec_id)
            if above is None:
                self._missing[entry.cgroup] += 1
            elif above.image in found:
                break  # a loop: only a broken record could make one
            else:
                found.append(above.image)
            entry = above
        return tuple(found)

    def forget(self, cgroup: int) -> None:
        """Drop the images of a container that is gone."""
        for group in (self._start_up, self._recent):
            for exec_id in group.pop(cgroup, ()):
                del self._entries[exec_id]
        self._missing.pop(cgroup, None)

    def losses(self) -> list[Loss]:
        """Return and reset, per container, how often a chain ended at a forgotten image."""
        missing, self._missing = self._missing, Counter()
        return [Loss("identify", "ancestor_forgotten", count, cgroup) for cgroup, count in missing.items()]

    def _add(self, entry: _Entry) -> None:
        exec_id = entry.image.exec_id
        if not exec_id:
            return
        if by := self._entries.get(entry.by_exec_id):
            self._touch(by)  # before room is made: it must not be the one that goes
        if exec_id not in self._entries:
            self._make_room(entry.cgroup)
            start_up = self._start_up.setdefault(entry.cgroup, OrderedDict())
            first = len(start_up) < START_UP_IMAGES and entry.cgroup not in self._recent
            (start_up if first else self._recent.setdefault(entry.cgroup, OrderedDict()))[exec_id] = None
        self._entries[exec_id] = entry

    def _touch(self, entry: _Entry) -> None:
        recent = self._recent.get(entry.cgroup)
        if recent and entry.image.exec_id in recent:
            recent.move_to_end(entry.image.exec_id)

    def _make_room(self, cgroup: int) -> None:
        if self._size(cgroup) >= MAX_PER_CONTAINER:
            self._evict(cgroup)
        elif len(self._entries) >= MAX_IMAGES:
            self._evict(max(self._start_up, key=self._size))

    def _size(self, cgroup: int) -> int:
        return len(self._start_up.get(cgroup, ())) + len(self._recent.get(cgroup, ()))

    def _evict(self, cgroup: int) -> None:
        images = self._recent.get(cgroup) or self._start_up[cgroup]
        exec_id, _ = images.popitem(last=False)
        del self._entries[exec_id]
        self.evictions += 1


def _cut(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the start of ``argv`` within the bounds; share equal texts between images."""
    kept: list[str] = []
    room = MAX_ARGUMENT_TEXT
    for argument in argv[:MAX_ARGUMENTS]:
        if room <= 0:
            break
        kept.append(sys.intern(argument[:room]))
        room -= len(argument)
    return tuple(kept)
