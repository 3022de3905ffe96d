"""Gaps: losses → coverage.gap deviations. Silence must never mean "nothing happened".

In: losses of every stage. Out: for each hook, cause and container one deviation with what was lost since it was last
told; its ``count`` is how many were lost. Why summed: a full ring loses thousands at once, told once a heartbeat. Next:
``folding``, which adds the counts, and ``report``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from driftline.nouns import Deviation, Kind, Loss, Subject
from driftline.verdict.eventless import Moment, Told, without_event
from driftline.verdict.uuid7 import Uuid7

MAX_GAPS = 1_024
"""Sums kept at a time; further containers' losses are summed as nobody's (cgroup 0)."""

_Key = tuple[str, str, int]  # hook, cause, cgroup


class Gaps:
    """Losses not told yet. Not thread-safe: belongs to the pipeline's thread."""

    def __init__(self, node: str, ids: Uuid7) -> None:
        self._node = node
        self._ids = ids
        self._sums: dict[_Key, int] = {}

    def add(self, losses: Iterable[Loss]) -> None:
        """Count ``losses``; each is what was lost since the last time, not a running total."""
        for loss in losses:
            if loss.count <= 0:
                continue
            key = (loss.hook, loss.cause, loss.cgroup)
            if key not in self._sums and len(self._sums) >= MAX_GAPS:
                key = (loss.hook, loss.cause, 0)
            self._sums[key] = self._sums.get(key, 0) + loss.count

    def tell(self, wall_ns: int, kernel_ns: int, subject_of: Callable[[int], Subject | None]) -> list[Deviation]:
        """Return one deviation for each sum and start anew. ``subject_of`` finds the container of a cgroup id."""
        sums, self._sums = self._sums, {}
        return [
            self._deviation(
                Loss(hook, cause, count, cgroup), wall_ns, kernel_ns, subject_of(cgroup) if cgroup else None
            )
            for (hook, cause, cgroup), count in sorted(sums.items())
        ]

    def _deviation(self, loss: Loss, wall_ns: int, kernel_ns: int, subject: Subject | None) -> Deviation:
        subject = subject or Subject(cgroup=loss.cgroup, cgroup_path="")
        where = "" if loss.cgroup else "containers nobody can name"
        what, why = f"{loss.hook}: {loss.cause}", "nobody knows what they were"
        told = Told(Kind.COVERAGE_GAP, subject, what, why, where=where)
        found = without_event(told, Moment(self._node, wall_ns, kernel_ns), self._ids)
        return replace(found, count=loss.count, loss=loss)
