"""A thread for what would hold up the pipeline: digests of executables, comparisons with the image's file.

In: ``HashTask``, ``CompareTask``, ``ContentsTask``. Out: the same tasks with their result, from ``take`` after a call
of ``wake``. Why a thread: a file system may take seconds, or never answer. Next: pipeline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from driftline.nouns import Deviation, ExecEvent, LoadEvent, Loss, OpenEvent, Subject
from driftline.scheduling import let_others_first
from driftline.verdict.copyup import compare
from driftline.verdict.hashing import GONE, hash_executable
from driftline.workthread import TaskThread

MAX_TASKS = 1_024
"""Tasks waiting: a storm of execs is folded before it comes here; beyond this a task is left undone, and counted."""
STOP_SECONDS = 1.0
"""Longest ``stop`` waits for a file system that does not answer (the thread dies with the process)."""
STOPPED = "the agent stopped first"


@dataclass(slots=True)
class HashTask:
    """Digest of the executable of ``deviation``. ``init``: pid of the container's init, whose root outlives others."""

    deviation: Deviation
    init: int
    sha256: str = ""
    note: str = ""

    def run(self, limit: int, _bases: tuple[str, ...]) -> None:
        """Do it."""
        process, file = self.deviation.process, self.deviation.file
        if process is None or file is None:
            return
        self.sha256, self.note = hash_executable(process.pid, file, limit)
        if self.note == GONE and self.init:
            self.sha256, self.note = hash_executable(self.init, file, limit)


@dataclass(slots=True)
class CompareTask:
    """Does the file of ``event`` still hold what the image's file holds?"""

    event: ExecEvent | LoadEvent
    subject: Subject
    init: int
    same: bool | None = None

    def run(self, limit: int, bases: tuple[str, ...]) -> None:
        """Do it; ``bases`` are where relative layers may start from."""
        self.same = compare(self.event.process.pid, self.event.file, limit, bases)
        if self.same is None and self.init:
            self.same = compare(self.init, self.event.file, limit, bases)


@dataclass(slots=True)
class ContentsTask:
    """Digest of a file of the image that was used as code, with the ``algorithm`` its package recorded."""

    event: ExecEvent | LoadEvent | OpenEvent
    subject: Subject
    init: int
    algorithm: str = ""
    digest: str = ""  # hex; "" if it could not be read

    def run(self, limit: int, _bases: tuple[str, ...]) -> None:
        """Do it."""
        file = self.event.file
        self.digest, _note = hash_executable(self.event.process.pid, file, limit, self.algorithm)
        if not self.digest and self.init:
            self.digest, _note = hash_executable(self.init, file, limit, self.algorithm)


Task = HashTask | CompareTask | ContentsTask


class Worker:
    """Owns the thread ``evidence``. ``wake`` is called on that thread."""

    def __init__(self, limit: int, bases: tuple[str, ...], wake: Callable[[], None]) -> None:
        self._limit, self._bases = limit, bases
        self._wake = wake
        self._hand: Task | None = None
        self._thread: TaskThread[Task, Task] = TaskThread("evidence", "reads executables", self._run, MAX_TASKS, wake)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, task: Task) -> bool:
        """Take a task; False, counted, when too many wait."""
        return self._thread.put(task)

    def take(self) -> list[Task]:
        """Return what was done since the last call. Raises DriftlineError, once, if the thread died."""
        return self._thread.take()

    @property
    def waiting(self) -> int:
        """Tasks not begun."""
        return self._thread.waiting

    def losses(self) -> list[Loss]:
        """Return and reset how many tasks were left undone."""
        refused = self._thread.take_refused()
        return [Loss("evidence", "tasks_full", refused)] if refused else []

    def stop(self) -> bool:
        """End the thread after the task in hand. False if it did not end in ``STOP_SECONDS``.

        ``take`` then gives the tasks left undone too: a program that was not compared must still be told.
        """
        ended = self._thread.stop(STOP_SECONDS)
        with self._thread.changed:
            left = [*([self._hand] if self._hand else []), *self._thread.take_left()]
            self._hand = None
            self._thread.give(*(replace(task, note=STOPPED) if isinstance(task, HashTask) else task for task in left))
        return ended

    def _run(self) -> None:
        let_others_first()  # the deviation itself is on its way to somebody meanwhile
        while (task := self._next()) is not None:
            task.run(self._limit, self._bases)
            with self._thread.changed:
                if self._hand is None:
                    return  # ``stop`` did not wait for it
                self._hand = None
                self._thread.give(task)
            self._wake()

    def _next(self) -> Task | None:
        with self._thread.changed:
            self._hand = self._thread.next()
            return self._hand
