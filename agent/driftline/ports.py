"""Who the pipeline talks to: the kernel, the namer of containers, the reader of files, the clock; and nobody.

In: nothing. Out: protocols, the clock of a live agent, and the stand-ins for a kernel and for files that are not there
(a capture is replayed, or the sensor was taken down already). Next: ``pipeline``, ``lifecycle``, ``offline``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

from driftline.nouns import Loss, Subject
from driftline.verdict.worker import Task


class Kernel(Protocol):
    """What the pipeline tells the kernel side; ``probe.sensor.Sensor`` where there is one."""

    def know_file(self, key: bytes, value: bytes) -> None: ...
    def know_exec(self, key: bytes, value: bytes) -> None: ...
    def know_connect(self, key: bytes) -> None: ...
    def trace(self, cgroup: int, subject: int, tree: bool, epoch: int = 0) -> bool: ...
    def untrace(self, cgroup: int) -> None: ...
    def set_epoch(self, cgroups: Iterable[int], subject: int, epoch: int) -> None: ...
    def relabel(self, pid: int, exec_id: int, flags: int) -> None: ...
    def held_back(self, subject: int) -> tuple[int, int]: ...
    def forget(self, subject: int) -> None: ...


class Namer(Protocol):
    """Who names containers; ``identify.resolver.Resolver``, or the capture itself when one is replayed."""

    def request(self, cgroup: int, path: str, started_ns: int, attached_late: bool) -> None: ...
    def gone(self, cgroup: int) -> None: ...
    def take(self) -> list[Subject]: ...
    def losses(self) -> list[Loss]: ...


class Evidence(Protocol):
    """Who reads executables; ``verdict.worker.Worker``, or nobody when a capture is replayed."""

    def put(self, task: Task) -> bool: ...
    def take(self) -> list[Task]: ...
    def losses(self) -> list[Loss]: ...


class Clock(Protocol):
    """Kernel time now, and what to add to kernel time to get Unix time; both ns."""

    def now_ns(self) -> int: ...
    def wall_offset_ns(self) -> int: ...


class LiveClock:
    """The clocks of this machine."""

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def wall_offset_ns(self) -> int:
        """Read anew each time: the wall clock may have been set."""
        return time.time_ns() - time.monotonic_ns()


class NoKernel:
    """Nothing to write back to."""

    def know_file(self, key: bytes, value: bytes) -> None: ...
    def know_exec(self, key: bytes, value: bytes) -> None: ...
    def know_connect(self, key: bytes) -> None: ...
    def trace(self, cgroup: int, subject: int, tree: bool, epoch: int = 0) -> bool:
        """Everything fits."""
        return True

    def untrace(self, cgroup: int) -> None: ...
    def set_epoch(self, cgroups: Iterable[int], subject: int, epoch: int) -> None: ...
    def relabel(self, pid: int, exec_id: int, flags: int) -> None: ...

    def held_back(self, subject: int) -> tuple[int, int]:
        """Nothing is held back."""
        return 0, 0

    def forget(self, subject: int) -> None: ...


class NoEvidence:
    """The files of a capture's containers are not here: no digests, no comparisons."""

    def put(self, task: Task) -> bool:
        """Not possible."""
        return False

    def take(self) -> list[Task]:
        """None."""
        return []

    def losses(self) -> list[Loss]:
        """None: nothing was promised."""
        return []
