"""Budgets: how many deviations of one kind a container may have told by the second.

In: deviations that are no repeats. Out: whether each is told itself; of those that are not, one for all with their
count. Why per container and kind: a storm in one container must not make the others' deviations late, nor hide the one
line of another kind that matters. Why summed and not dropped: silence never means that nothing happened. Not
thread-safe: belongs to ``folding``.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from driftline.nouns import Deviation, Kind, Severity, Subject

NS = 1_000_000_000
BURST_SECONDS = 10
"""A container that was quiet may have so many seconds' worth told at once: an attack is a burst, a storm goes on."""

MAX_BUDGETS = 2_048
"""Budgets kept, some 400 bytes each; the one longest unused is forgotten, and is full again then."""

MAX_HELD = 512
"""Sums kept at a time; the oldest is told early and ends: nothing is lost."""

FIRST_TOLD_NS = 1 * NS
TOLD_AGAIN_NS = 10 * NS
"""When a sum is told for the first time, and how often again while it grows."""

_BudgetKey = tuple[int, str, Kind]
_HeldKey = tuple[int, str, Kind, Severity]


class _Held:
    __slots__ = ("count", "first", "last_kernel_ns", "last_wall_ns", "told", "told_at")

    def __init__(self, first: Deviation, rate: int) -> None:
        note = f"held back: its container has over {rate} of this kind a second; this is the first, the rest is counted"
        self.first = replace(first, notes=(*first.notes, note))
        self.count = self.told = 0
        self.told_at = first.first_kernel_ns - TOLD_AGAIN_NS + FIRST_TOLD_NS
        self.last_kernel_ns = first.last_kernel_ns
        self.last_wall_ns = first.last_wall_ns

    def add(self, count: int, kernel_ns: int, wall_ns: int) -> None:
        self.count += count
        self.last_kernel_ns = max(self.last_kernel_ns, kernel_ns)
        self.last_wall_ns = max(self.last_wall_ns, wall_ns)

    def tell(self, now_ns: int) -> Deviation | None:
        if self.count == self.told:
            return None
        self.told, self.told_at = self.count, now_ns
        return replace(self.first, count=self.count, last_kernel_ns=self.last_kernel_ns, last_wall_ns=self.last_wall_ns)


class Budgets:
    """At most ``rate`` deviations a second per container and kind; 0: no limit."""

    def __init__(self, rate: int, window_ns: int) -> None:
        self._rate = rate
        self._window_ns = max(window_ns, TOLD_AGAIN_NS)
        self._tokens: OrderedDict[_BudgetKey, tuple[float, int]] = OrderedDict()
        self._held: OrderedDict[_HeldKey, _Held] = OrderedDict()  # by the time of the first
        self._early: list[Deviation] = []
        self.held_back = 0
        """Deviations that were not told themselves."""

    def take(self, deviation: Deviation) -> bool:
        """Whether ``deviation`` is told; if not, it is counted."""
        if not self._rate or deviation.kind is Kind.COVERAGE_GAP:
            return True
        subject = deviation.subject
        if self._spend((subject.cgroup, subject.container_id, deviation.kind), deviation.first_kernel_ns):
            return True
        key = (subject.cgroup, subject.container_id, deviation.kind, deviation.severity)
        held = self._held.get(key)
        if held is None:
            if len(self._held) >= MAX_HELD:
                self._end(*self._held.popitem(last=False), deviation.first_kernel_ns)
            held = self._held[key] = _Held(deviation, self._rate)
        held.add(deviation.count, deviation.last_kernel_ns, deviation.last_wall_ns)
        self.held_back += deviation.count
        return False

    def over(self, subject: Subject, kind: Kind, severity: Severity, kernel_ns: int, wall_ns: int) -> bool:
        """Count an event as one more of those held back; False if it has to be offered itself.

        Why before its deviation is made: in a storm that is most of the work, and the others wait for it.
        """
        held = self._held.get((subject.cgroup, subject.container_id, kind, severity)) if self._held else None
        if held is None or self._left((subject.cgroup, subject.container_id, kind), kernel_ns) >= 1:
            return False
        held.add(1, kernel_ns, wall_ns)
        self.held_back += 1
        return True

    def _left(self, key: _BudgetKey, now_ns: int) -> float:
        most = float(self._rate * BURST_SECONDS)
        tokens, at = self._tokens.get(key, (most, now_ns))
        return min(most, tokens + max(0, now_ns - at) * self._rate / NS)

    def _spend(self, key: _BudgetKey, now_ns: int) -> bool:
        left = self._left(key, now_ns)
        enough = left >= 1
        self._tokens[key] = (left - 1 if enough else left, now_ns)
        self._tokens.move_to_end(key)
        if len(self._tokens) > MAX_BUDGETS:
            self._tokens.popitem(last=False)
        return enough

    def _end(self, _key: _HeldKey, held: _Held, now_ns: int) -> None:
        if (told := held.tell(now_ns)) is not None:
            self._early.append(told)

    def expire(self, now_ns: int) -> list[Deviation]:
        """Return the sums that are due."""
        for key, held in list(self._held.items()):
            if now_ns - held.first.first_kernel_ns >= self._window_ns:
                self._end(key, self._held.pop(key), now_ns)
            elif now_ns - held.told_at >= TOLD_AGAIN_NS:
                self._end(key, held, now_ns)
        due, self._early = self._early, []
        return due

    def drain(self, now_ns: int) -> list[Deviation]:
        """Return what is left of every sum: the agent stops."""
        while self._held:
            self._end(*self._held.popitem(last=False), now_ns)
        return self.expire(now_ns)
