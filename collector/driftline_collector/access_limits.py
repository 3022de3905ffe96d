"""How often one peer may do something.

In: a key (who, or from where) and the time. Out: yes or no. One token bucket per key in a bounded table. Why the table
forgets the key longest unused: it is full again by then in all but a flood from many addresses, which is counted. Next:
``access`` asks.
"""

from __future__ import annotations

from collections import OrderedDict

PEERS = 4096
"""Keys remembered: more than the nodes and people of most clusters, in under a MiB."""


class Limit:
    """At most ``burst`` at once and ``rate`` per second after that, for each key."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was so
        self.forgotten = 0

    def take(self, key: str, now: float) -> bool:
        """Return whether ``key`` may once more. ``now`` in seconds, from a clock that never goes back."""
        left, since = self._buckets.pop(key, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._rate)
        allowed = left >= 1
        self._buckets[key] = (left - allowed, now)
        if len(self._buckets) > PEERS:
            self._buckets.popitem(last=False)
            self.forgotten += 1
        return allowed
