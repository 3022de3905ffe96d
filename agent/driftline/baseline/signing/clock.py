"""The latest Unix time ever seen: a clock that is set back revives no baseline that expired.

In: the clock. Out: the later of what it says and of what was seen before, by an earlier agent too. Why not always
written: a file every ten minutes is enough, and one whenever something expires. Next: ``guard`` asks.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from driftline.baseline.keeping.files import make_directory, read_file, replace_file, sync_directory
from driftline.baseline.signing.judged import REMEMBERED

CLOCK = "clock.json"
MAX_CLOCK = 1_024
"""Bytes: one number."""
KEEP_NS = 600 * 1_000_000_000
"""How far the clock may run before it is kept: what setting it back after a crash can win."""


class LatestTime:
    """Not thread-safe: belongs to the guard's thread, but for its making."""

    def __init__(self, state_dir: str) -> None:
        self._path = Path(state_dir, REMEMBERED, CLOCK)
        self._latest_ns = self._kept_ns = 0

    def recall(self) -> None:
        """Read what an earlier agent saw. Raises OSError; ValueError if that is damaged."""
        try:
            found = json.loads(read_file(self._path, MAX_CLOCK))
        except FileNotFoundError:
            return
        if not isinstance(found, dict) or type(found.get("latest_ns")) is not int:
            raise ValueError("not the latest time seen")
        self._latest_ns = self._kept_ns = found["latest_ns"]

    def now_ns(self) -> int:
        """The latest Unix time seen, this moment included."""
        self._latest_ns = max(self._latest_ns, time.time_ns())
        return self._latest_ns

    def keep(self, at_once: bool = False) -> None:
        """Write it, if it was not for long. Raises OSError."""
        if not at_once and self.now_ns() - self._kept_ns < KEEP_NS:
            return
        self._kept_ns = self.now_ns()
        make_directory(self._path.parent)
        replace_file(self._path, json.dumps({"latest_ns": self._kept_ns}).encode())
        sync_directory(self._path.parent)
