"""A named thread that works beside the main loop, and hands it results and its own death.

In: the function that is the thread. Out: what it gave, from ``take``, after a call of ``wake``. Why: no thread dies
quietly, and none keeps the agent from stopping. Threads whose failure the agent survives (``report.keeper``) are not
made with it. Next: ``identify``, ``verdict``, ``baseline`` and ``report`` own one each.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from driftline.errors import DriftlineError

MAX_ERRORS = 256
"""For ``most``, where results are errors for the operator, who is told each sentence once: more than a node has images.
The main loop takes them every few seconds."""

Result = TypeVar("Result")
Task = TypeVar("Task")


def _nobody() -> None:
    """For a thread whose results the main loop takes in its own time."""


class WorkThread(Generic[Result]):
    """Owns the daemon thread ``name``, which is ``run``. ``does``: what it does, to complete "the thread that".

    ``wake`` is called on that thread when it has died, and by ``run`` when it sees fit. Of results that nobody takes
    the oldest goes when more than ``most`` wait; None where something else bounds them.
    """

    def __init__(
        self,
        name: str,
        does: str,
        run: Callable[[], None],
        wake: Callable[[], None] = _nobody,
        most: int | None = None,
    ) -> None:
        self.changed = threading.Condition()
        """Guards what follows, and what the owner shares with the thread. Its lock is taken again by who holds it."""
        self.stopping = False
        """Set by ``stop``, which then notifies ``changed``."""
        self._does, self._work, self._wake = does, run, wake
        self._results: deque[Result] = deque(maxlen=most)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._thread.is_alive()

    def give(self, *results: Result) -> None:
        """Have ``take`` return ``results``. Any thread."""
        with self.changed:
            self._results += results

    def take(self) -> list[Result]:
        """Return what was given since the last call. Raises DriftlineError, once all is taken, if it died."""
        with self.changed:
            results = list(self._results)
            self._results.clear()
            if results or self._failure is None:
                return results
            failure, self._failure = self._failure, None
        raise DriftlineError(f"the thread that {self._does} ended: {failure!r}") from failure

    def stop(self, seconds: float) -> bool:
        """Tell the thread to end. False if it did not within ``seconds``: it dies with the process."""
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self.alive

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - no thread dies quietly: take() raises it in the main loop
            with self.changed:
                self._failure = error
            self._wake()


class TaskThread(WorkThread[Result], Generic[Task, Result]):
    """A thread that does one task after the other; at most ``limit`` wait, and those refused are counted."""

    def __init__(
        self,
        name: str,
        does: str,
        run: Callable[[], None],
        limit: int,
        wake: Callable[[], None] = _nobody,
        most: int | None = None,
    ) -> None:
        super().__init__(name, does, run, wake, most)
        self._limit = limit
        self._tasks: deque[Task] = deque()
        self._refused = 0

    def put(self, task: Task) -> bool:
        """Take a task; False, counted, when too many wait."""
        with self.changed:
            if len(self._tasks) >= self._limit:
                self._refused += 1
                return False
            self._tasks.append(task)
            self.changed.notify_all()
            return True

    def next(self) -> Task | None:
        """Wait for a task, on the thread; None when it is time to stop."""
        with self.changed:
            self.changed.wait_for(lambda: self._tasks or self.stopping)
            return None if self.stopping else self._tasks.popleft()

    @property
    def waiting(self) -> int:
        """Tasks not begun."""
        return len(self._tasks)

    def take_refused(self) -> int:
        """Return and reset how many tasks were refused."""
        with self.changed:
            refused, self._refused = self._refused, 0
        return refused

    def take_left(self) -> list[Task]:
        """Return the tasks nobody will do, after ``stop``."""
        with self.changed:
            left = list(self._tasks)
            self._tasks.clear()
        return left
