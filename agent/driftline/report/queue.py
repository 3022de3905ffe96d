"""A bounded queue that gives up the least urgent first.

In: deviations in order of arrival. Out: the same order. Why not a deque: when nobody takes, a flood of unimportant
deviations must not push out the one that matters. Not thread-safe: its owner holds a lock. Next: ``backlog``,
``jsonlines``.
"""

from __future__ import annotations

from collections import OrderedDict

from driftline.nouns import Deviation, Severity


class SeverityQueue:
    """Holds at most ``capacity`` deviations; an update replaces its deviation while that still waits."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._arrivals = 0
        self._length = 0
        self._by_severity: dict[Severity, OrderedDict[str, tuple[int, Deviation]]] = {
            severity: OrderedDict() for severity in Severity
        }

    def __len__(self) -> int:
        return self._length

    def put(self, deviation: Deviation) -> Deviation | None:
        """Add ``deviation``; return the one given up for it: the oldest of the lowest severity (perhaps itself)."""
        waiting = self._by_severity[deviation.severity]
        if (entry := waiting.get(deviation.id)) is not None:
            waiting[deviation.id] = (entry[0], max(deviation, entry[1], key=_newness))
            return None
        self._arrivals += 1
        waiting[deviation.id] = (self._arrivals, deviation)
        self._length += 1
        return self._give_up() if self._length > self.capacity else None

    def pop(self) -> Deviation | None:
        """Remove and return the one that has waited longest; None if there is none."""
        heads = [(next(iter(waiting.values()))[0], waiting) for waiting in self._by_severity.values() if waiting]
        return self._remove_oldest(min(heads, key=lambda head: head[0])[1]) if heads else None

    def _give_up(self) -> Deviation:
        return self._remove_oldest(next(waiting for waiting in self._by_severity.values() if waiting))

    def _remove_oldest(self, waiting: OrderedDict[str, tuple[int, Deviation]]) -> Deviation:
        self._length -= 1
        return waiting.popitem(last=False)[1][1]


def _newness(deviation: Deviation) -> tuple[int, int]:
    return deviation.count, deviation.last_wall_ns
