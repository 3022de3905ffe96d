"""Names containers without making anybody wait: asks the engines on a thread of its own.

In: ``request`` for a container's cgroup. Out: ``Subject``, from ``take`` after a call of ``wake``. Why a thread: an
engine may take a second, or hang, and the main loop must go on. A container the engine does not name in
``identify_seconds`` is delivered as it is, image unknown, and again if the engine answers later. Next: ``subjects``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from driftline.identify.asking import Asking, Clock
from driftline.identify.cgroups import Role, parse
from driftline.identify.engines import Engine
from driftline.nouns import Loss, Subject
from driftline.workthread import WorkThread

MAX_REQUESTS = 4_096
"""Containers being named at a time; beyond it a container is delivered unnamed at once, and counted."""
STOP_SECONDS = 2.0
"""Longest ``stop`` waits: one engine's time limit and some."""


class Resolver:
    """Owns the engines and the thread ``identify`` that asks them. ``wake`` is called on that thread."""

    def __init__(
        self,
        engines: Sequence[Engine],
        identify_seconds: float,
        roots: tuple[str, ...],
        wake: Callable[[], None],
        clock: Clock = time.monotonic,
    ) -> None:
        self._asking = Asking(engines, identify_seconds, clock)
        self._roots = roots
        self._clock = clock
        self._wake = wake
        self._thread: WorkThread[Subject] = WorkThread("identify", "names containers", self._run, wake)
        self._changed = self._thread.changed  # guards what follows
        self._requests: deque[Subject] = deque()
        self._gone: deque[int] = deque(maxlen=MAX_REQUESTS)  # one that falls out only costs some late questions
        self._pending = 0
        self._refused = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def request(self, cgroup: int, path: str, started_ns: int, attached_late: bool) -> None:
        """Have the container at ``path`` named; ``take`` gives its subject, named or not. Never blocks."""
        subject = subject_from_path(cgroup, path, self._roots, started_ns, attached_late)
        with self._changed:
            if subject.container_id and self._pending + len(self._requests) < MAX_REQUESTS:
                self._requests.append(subject)
                self._changed.notify()
                return
            self._refused += bool(subject.container_id)
            self._thread.give(subject)
        self._wake()

    def gone(self, cgroup: int) -> None:
        """Say that the container ended: it is still named if it can be soon, but not asked about for long."""
        with self._changed:
            if self._pending or self._requests:
                self._gone.append(cgroup)

    def take(self) -> list[Subject]:
        """Return the subjects finished since the last call. Raises DriftlineError, once, if the thread died."""
        return self._thread.take()

    @property
    def waiting(self) -> int:
        """Containers being asked about."""
        return self._pending + len(self._requests)

    def losses(self) -> list[Loss]:
        """Return and reset how many containers were not asked about for lack of room."""
        with self._changed:
            refused, self._refused = self._refused, 0
        return [Loss("identify", "requests_full", refused)] if refused else []

    @property
    def engine_failures(self) -> tuple[int, str]:
        """How many look-ups failed since the start, and what the last failure said."""
        return self._asking.failures, self._asking.last_error

    def stop(self) -> bool:
        """End the thread. False if it did not end in ``STOP_SECONDS`` (it dies with the process)."""
        return self._thread.stop(STOP_SECONDS)

    def _run(self) -> None:
        while self._collect():
            self._deliver(self._asking.step())
        self._asking.close()

    def _collect(self) -> bool:
        """Wait until there is something to ask. False when it is time to stop."""
        with self._changed:
            while not (self._thread.stopping or self._requests):
                due = self._asking.next_due()
                pause = None if due is None else due - self._clock()
                if pause is not None and pause <= 0:
                    break
                self._changed.wait(pause)
            while self._requests:
                self._asking.add(self._requests.popleft())
            while self._gone:
                self._asking.gone(self._gone.popleft())
            self._pending = len(self._asking)
            return not self._thread.stopping

    def _deliver(self, subjects: list[Subject]) -> None:
        with self._changed:
            self._pending = len(self._asking)
            self._thread.give(*subjects)  # at most two for each request
        if subjects:
            self._wake()


def subject_from_path(cgroup: int, path: str, roots: tuple[str, ...], started_ns: int, attached_late: bool) -> Subject:
    """Return what the path alone tells of a container."""
    name = parse(path, roots)
    if name is None or name.role not in (Role.CONTAINER, Role.NESTED):
        return Subject(cgroup, path, started_ns=started_ns, attached_late=attached_late)
    return Subject(
        cgroup,
        name.path,
        engine=name.engine,
        container_id=name.container_id,
        started_ns=started_ns,
        attached_late=attached_late,
    )
