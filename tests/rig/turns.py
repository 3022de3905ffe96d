"""Two processes share the suite (``pytest -n 2``): some tests need the machine for themselves, the rest run beside.

In: each test that a worker is about to run. Out: it runs when it is its turn. Tests of containers, faults and the
kernel are one unit of work, which comes first: the worker that has it holds the lock alone, and the others begin when
it is done. Why a lock and no message: a worker that crashes lets go of it. Without workers nothing of this happens.
Next: tests/conftest.py.
"""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parents[1]
_ALONE = tuple(_TESTS / name for name in ("containers", "faults", "kernel"))
_BEGIN_SECONDS = 60.0  # the other worker got its tests at the same moment; longer only if it crashed at once


def alone(path: Path) -> bool:
    """Whether the tests in ``path`` need the machine for themselves."""
    return any(directory in path.parents for directory in _ALONE)


def unit_of_work(test: str) -> str:
    """What goes to one worker together with the test of this id: its file, or all that run alone."""
    file = test.partition("::")[0]
    return "alone" if alone(_TESTS.parent / file) else file


class Turns:
    """When this worker may run what. ``directory`` is the same for all workers."""

    def __init__(self, directory: Path) -> None:
        self._begun = directory / "begun"
        self._file = (directory / "turn").open("w")
        self._alone: bool | None = None

    def take(self, item: pytest.Item) -> None:
        """Wait until ``item`` may run."""
        wanted = alone(item.path)
        if wanted == self._alone:
            return
        self._alone = wanted
        if wanted:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._begun.touch()
        else:
            self._wait_begun(item.session.items)
            fcntl.flock(self._file, fcntl.LOCK_SH)

    def _wait_begun(self, items: list[pytest.Item]) -> None:
        expected = any(alone(item.path) for item in items)
        until = time.monotonic() + _BEGIN_SECONDS
        while expected and not self._begun.exists() and time.monotonic() < until:
            time.sleep(0.01)

    def close(self) -> None:
        """Let the others go on."""
        self._file.close()
