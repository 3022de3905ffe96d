"""What baselines need done that takes long: folding thousands of behaviours, and every write to the disk.

In: a function, and what to do with its result. Out: the result, handed over on the caller's thread. Why a thread of its
own: a disk may take seconds, and no event waits for it. Computing there holds up the main loop by a switch interval
of Python at most (5 ms), as long as nothing the loop calls for each event lets another thread run: see
``probe.libbpf``. Next: ``saving`` writes, ``shelf`` ends learning; ``AtOnce`` is for replays, which never wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from driftline.workthread import TaskThread

MAX_WAITING = 1_024
"""Errands waiting: a few for each image a node runs. What is refused is tried again by who asked."""
SETTLE_SECONDS = 1.0
"""Longest ``settle`` waits for a disk."""

_Result = TypeVar("_Result")


class Errands(Protocol):
    """Who runs them. Belongs to the pipeline's thread."""

    def put(self, do: Callable[[], _Result], then: Callable[[_Result], None]) -> bool:
        """Have ``do`` called, once those before it are done, and ``then`` with its result; False: too many wait."""

    def come_back(self) -> None:
        """Call what is to be done with the results there are."""

    def settle(self) -> None:
        """Wait until all are done, ``SETTLE_SECONDS`` at most."""


class AtOnce:
    """Runs them on the spot."""

    def put(self, do: Callable[[], _Result], then: Callable[[_Result], None]) -> bool:
        """Do it."""
        then(do())
        return True

    def come_back(self) -> None:
        """Nothing is ever away."""

    def settle(self) -> None:
        """Nothing is ever away."""


class _Errand(NamedTuple):
    do: Callable[[], Any]
    then: Callable[[Any], None]


class Beside:
    """Owns the thread ``keeping``."""

    def __init__(self) -> None:
        self._thread: TaskThread[_Errand, Callable[[], None]] = TaskThread(
            "keeping", "writes baselines", self._run, MAX_WAITING
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, do: Callable[[], _Result], then: Callable[[_Result], None]) -> bool:
        """See ``Errands``."""
        return self._thread.put(_Errand(do, then))

    def come_back(self) -> None:
        """See ``Errands``. Raises DriftlineError, once, if the thread died."""
        for call in self._thread.take():
            call()

    def settle(self) -> None:
        """See ``Errands``."""
        last = threading.Event()
        if self._thread.alive and self._thread.put(_Errand(last.set, _nothing)):
            last.wait(SETTLE_SECONDS)
        self.come_back()

    def stop(self) -> bool:
        """End the thread after the errand in hand; False if the disk does not let it go."""
        return self._thread.stop(SETTLE_SECONDS)

    def _run(self) -> None:
        while (errand := self._thread.next()) is not None:
            self._thread.give(partial(errand.then, errand.do()))


def _nothing(_result: object) -> None:
    """To be done with no result."""
