"""The spool's clock: seconds that really went by.

In: the kernel's time since boot. Out: a count of seconds that only grows, also over restarts of the agent. Why not the
wall clock: set forward by mistake, it would make every entry look a year old and have it thrown away. Time while the
node was down is not counted. Next: ``spool`` asks it how old entries are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(NamedTuple):
    """A reading that can be kept: the count, and when it was read."""

    seconds: int
    boot_id: str
    since_boot: int  # seconds of CLOCK_BOOTTIME


def boot_time() -> int:
    """Return seconds since boot, suspended ones included."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME))


def boot_id() -> str:
    """Return what the kernel calls this boot, "" if it does not say."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class SpoolClock:
    """Goes on from ``last``, at the latest from ``at_least`` seconds."""

    def __init__(
        self, last: Moment | None, at_least: int = 0, now: Callable[[], int] = boot_time, boot: str | None = None
    ) -> None:
        self._boot = boot_id() if boot is None else boot
        self._now = now
        self._started = now()
        base = last.seconds if last else 0
        if last and self._boot and last.boot_id == self._boot:
            base += max(0, self._started - last.since_boot)
        self._base = max(base, at_least)

    def now(self) -> int:
        """Return the count of seconds."""
        return self._base + max(0, self._now() - self._started)

    def moment(self) -> Moment:
        """Return a reading to go on from after a restart."""
        return Moment(self.now(), self._boot, self._now())
