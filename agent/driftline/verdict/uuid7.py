"""UUIDv7: ids of deviations, in the order they were made.

In: the wall clock and random bytes. Out: text of a UUID. Why this version: a store keeps its rows in the order of time,
and a duplicate of a deviation is known by its id. Format: RFC 9562, section 5.7; the 12 bits after the milliseconds are
a finer clock and counter (section 6.2, methods 1 and 3), so ids of one process always grow. Next: ``evidence``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

_FRACTION_BITS = 12
_RANDOM_BITS = 62
_RANDOM_BYTES = 8
_POOL_BYTES = 128 * _RANDOM_BYTES  # fetched at a time: a system call for each id costs as much as judging the event
_MILLISECOND = 1_000_000  # ns
_MAX_STAMP = (1 << (48 + _FRACTION_BITS)) - 1


class Uuid7:
    """Makes ids; thread-safe. ``random`` returns so many random bytes."""

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random
        self._lock = threading.Lock()
        self._last = -1
        self._pool = b""

    def make(self, wall_ns: int) -> str:
        """Return an id for Unix time ``wall_ns``; greater than the last one even if the clock was set back."""
        milliseconds, rest = divmod(max(0, wall_ns), _MILLISECOND)
        stamp = (milliseconds << _FRACTION_BITS) | (rest << _FRACTION_BITS) // _MILLISECOND
        with self._lock:
            self._last = stamp = min(max(stamp, self._last + 1), _MAX_STAMP)
            if not self._pool:
                self._pool = self._random(_POOL_BYTES)
            random, self._pool = self._pool[:_RANDOM_BYTES], self._pool[_RANDOM_BYTES:]
        return _text(stamp, int.from_bytes(random, "big") & ((1 << _RANDOM_BITS) - 1))


def _text(stamp: int, random: int) -> str:
    time, tail = f"{stamp:015x}", f"{0b10 << _RANDOM_BITS | random:016x}"
    return f"{time[:8]}-{time[8:12]}-7{time[12:]}-{tail[:4]}-{tail[4:]}"
