"""Which sequence numbers: sorted intervals.

In: numbers that were sent, or acknowledged, a batch at a time. Out: whether one is among them, and where the next gap
is. Why intervals: while a backlog drains, live entries overtake it, so what is done is a beginning and some islands,
never a list of numbers. Next: ``spool``, ``cursor``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

Pair = tuple[int, int]


class Ranges:
    """Disjoint closed intervals of integers; adjacent ones are one. Not thread-safe."""

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._pairs: list[Pair] = []
        for first, last in pairs:
            self.add(first, last)

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, number: int) -> bool:
        return self._pair_of(number) is not None

    @property
    def pairs(self) -> list[Pair]:
        """Every interval as (first, last), ascending."""
        return list(self._pairs)

    @property
    def last(self) -> int:
        """The greatest number, -1 if there is none."""
        return self._pairs[-1][1] if self._pairs else -1

    def add(self, first: int, last: int) -> None:
        """Include ``first`` to ``last``. Raises ValueError if that is no interval."""
        if first > last:
            raise ValueError(f"no interval: {first} to {last}")
        start = bisect_left(self._pairs, first - 1, key=lambda pair: pair[1])
        end = bisect_right(self._pairs, last + 1, key=lambda pair: pair[0])
        if start < end:
            first, last = min(first, self._pairs[start][0]), max(last, self._pairs[end - 1][1])
        self._pairs[start:end] = [(first, last)]

    def covers(self, first: int, last: int) -> bool:
        """Whether all from ``first`` to ``last`` are included."""
        pair = self._pair_of(first)
        return pair is not None and last <= pair[1]

    def gap(self, number: int) -> tuple[int, int | None]:
        """Return the first number from ``number`` on that is not included, and the next that is (None: none)."""
        index = bisect_right(self._pairs, number, key=lambda pair: pair[0])
        if index and self._pairs[index - 1][1] >= number:
            number = self._pairs[index - 1][1] + 1
        return number, self._pairs[index][0] if index < len(self._pairs) else None

    def _pair_of(self, number: int) -> Pair | None:
        index = bisect_right(self._pairs, number, key=lambda pair: pair[0])
        return self._pairs[index - 1] if index and self._pairs[index - 1][1] >= number else None
