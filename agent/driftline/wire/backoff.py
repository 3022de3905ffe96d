"""How long to wait before trying again.

In: nothing but chance. Out: seconds, doubling from attempt to attempt. Why with chance: after a restart of the
collector its agents must not all come back at the same moment. Next: ``uplink``, ``cli.tail``.
"""

from __future__ import annotations

import random


class Backoff:
    """Waits that double from ``first`` to at most ``longest`` seconds, each shortened by chance to not under half."""

    def __init__(self, first: float = 0.1, longest: float = 15.0) -> None:
        self._first = first
        self._longest = longest
        self._ceiling = first

    def next(self) -> float:
        """Return the next wait in seconds."""
        wait = self._ceiling * random.uniform(0.5, 1.0)
        self._ceiling = min(self._ceiling * 2, self._longest)
        return wait

    def reset(self) -> None:
        """Start small again: the last attempt succeeded."""
        self._ceiling = self._first
