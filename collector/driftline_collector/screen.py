"""What silences hide from one follower, and what it is told of that.

In: deviations on their way to a follower. Out: those it is to see; the silences in force, for its header, and how many
it did not see. Why told again only now and then: a silenced storm must not become a storm of counts. Next: ``follow``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.silences import Silences

TELL_SECONDS = 10.0
"""Between two tellings of changed counts."""


class Screen:
    """Of one follower; ``everything``: it wants to see what is silenced, too."""

    def __init__(self, silences: Silences, everything: bool) -> None:
        self._silences = silences
        self._everything = everything
        self._hidden = 0
        self._told: list[bytes] | None = None
        self._told_at = 0.0

    def visible(self, items: Sequence[pb.StoredDeviation]) -> list[pb.StoredDeviation]:
        """Return what of ``items`` no silence hides."""
        if self._everything:
            return list(items)
        seen = [item for item in items if not self._silences.hiding(item.deviation)]
        self._hidden += len(items) - len(seen)
        return seen

    @property
    def due(self) -> float | None:
        """In how many seconds something should be told, None if there is nothing to tell."""
        if self._told is None:
            return 0.0
        return max(0.0, self._told_at + TELL_SECONDS - time.monotonic()) if self._hidden else None

    def annotate(self, response: pb.TailResponse) -> pb.TailResponse:
        """Add to ``response`` what is due to be told."""
        if self.due == 0.0 or response.caught_up:
            silences = self._silences.in_force()
            bodies = [silence.SerializeToString() for silence in silences]
            if bodies != self._told:
                response.silences.silences.extend(silences)
                response.silences.SetInParent()
            self._told, self._told_at = bodies, time.monotonic()
            response.silenced, self._hidden = self._hidden, 0
        return response
