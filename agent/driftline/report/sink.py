"""Where deviations go.

In: deviations from the verdict stage, any thread. Out: a stream to the collector, or lines. Why a protocol: the
pipeline must not know whether anybody is listening. Next: ``stream`` (collector) or ``jsonlines`` (standalone).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from driftline.nouns import Deviation, Loss
from driftline.wire.exposition import Histogram


class SinkFigures(NamedTuple):
    """How delivery goes. ``counters``: of the spool, as in heartbeats. ``acknowledged``: from sending a batch on."""

    waiting: int
    unacknowledged: int
    capacity: int
    connected: bool
    counters: Mapping[str, int]
    acknowledged: Histogram


class Sink(Protocol):
    """Takes deviations. All methods are thread-safe and none but ``stop`` waits for anything."""

    def start(self) -> None:
        """Begin to deliver. What was submitted before waits."""

    def submit(self, deviation: Deviation) -> None:
        """Take ``deviation``; one with an id submitted before and a higher count is an update of folded repeats.

        When the queue is full, the oldest of the lowest severity goes and is counted in ``losses``.
        """

    def heartbeat(self, losses: list[Loss], counters: dict[str, int], troubles: Sequence[str] = ()) -> None:
        """Tell how the agent is: losses and counters since it started, and what it cannot do at present. The sink adds
        its own losses."""

    def figures(self) -> SinkFigures:
        """Return how delivery goes."""

    def losses(self) -> list[Loss]:
        """Return what this sink lost since it was made, by cause; hook is "report"."""

    def stop(self, timeout: float) -> None:
        """Deliver what is left for at most ``timeout`` seconds; what is left then counts as ``not_delivered``."""
