"""The time by which a store's deviations grow old.

In: the wall clock once, at the start; the time since boot; what was noted of both before. Out: seconds that never run
backwards and never leap. Why not the wall clock: one that is set back for a while would have what is stored meanwhile
look old as soon as it is right again, one that is set ahead would make all look old at once, and nobody can tell the
two apart afterwards. So while a collector runs only time that goes by counts, and between two runs the wall clock
counts for a while at most. In doubt deviations are kept for longer; ``--keep-bytes`` bounds that. Next: the stores
stamp with it, ``retention`` computes ages with it and has it noted.
"""

from __future__ import annotations

import json
import time
from typing import NamedTuple

ABSENCE_SECONDS = 7 * 86_400
"""Most that counts as time between two runs: a wall clock that is wrong at a start makes all older by no more."""

NOTE_SECONDS = 3600.0
"""Between two notes: what a quiet store that dies does not count."""

TOPIC, NAME = "clock", "last"
"""Of the note in the store."""


class Noted(NamedTuple):
    """Two readings of one moment, in seconds: of this clock, and of the wall clock (Unix time)."""

    store_s: int
    wall_s: int


class StoreClock:
    """``noted`` is the last note, None in a store that has none; ``newest_s`` the newest stamp, 0 if nothing is stored;
    ``wall_s`` is now. ``passed_over_s`` are seconds of the wall clock that were not believed. Any thread may ask."""

    def __init__(self, noted: Noted | None, newest_s: int, wall_s: float) -> None:
        begin = newest_s or int(wall_s)
        last = noted or Noted(begin, begin)
        away = max(0, int(wall_s) - last.wall_s)
        self.passed_over_s = max(0, away - ABSENCE_SECONDS)
        self._booted = _since_boot()
        self._begin = max(newest_s, last.store_s + away - self.passed_over_s)
        self._latest_wall_s = last.wall_s

    def now(self) -> int:
        """Return the time in seconds: Unix time, as long as the wall clock was always right."""
        return self._begin + int(_since_boot() - self._booted)

    def stamp(self, newest_s: int = 0) -> int:
        """Return the time for what is stored now, after what others stamped with up to ``newest_s``. Writer only."""
        self._begin += max(0, newest_s - self.now())
        return self.now()

    def note(self, wall_s: float) -> bytes:
        """Return the body of a note. One of a wall clock that was set back says the latest it ever showed: when it is
        right again that must not count as an absence. Writer only."""
        self._latest_wall_s = max(self._latest_wall_s, int(wall_s))
        return json.dumps(Noted(self.now(), self._latest_wall_s)._asdict()).encode()


def read_note(body: bytes | None) -> Noted | None:
    """Return what ``StoreClock.note`` wrote; None without a note, or if it is damaged."""
    if body is None:
        return None
    try:
        found = json.loads(body)
        return Noted(int(found["store_s"]), int(found["wall_s"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _since_boot() -> float:
    """Return seconds that go on in sleep and that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
