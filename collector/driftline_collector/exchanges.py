"""All there is to the exchange of baselines: its parts, put together.

In: the store, and the agents that take baselines. Out: an ``exchange`` with each of them; figures. Belongs to the event
loop. Next: ``ingest`` serves them, ``baselines`` decides what they carry.
"""

from __future__ import annotations

import asyncio

from driftline_collector.baseline_apart import Apart
from driftline_collector.exchange import Exchange
from driftline_collector.fleet import Fleet
from driftline_collector.in_use import InUse
from driftline_collector.intake import Intake
from driftline_collector.outbox import Outbox
from driftline_collector.storage import Storage


class Exchanges:
    """The exchanges of one collector. ``run`` is its task."""

    def __init__(self, storage: Storage) -> None:
        self._reader = storage.reader
        self.apart = Apart()
        self.in_use = InUse(storage.reader, storage.writer, storage.agents)
        self.intake = Intake(storage.writer, self.apart)
        self._open: set[Exchange] = set()
        self.fleet = Fleet(storage.reader, storage.writer, self.in_use, self._open)
        self._unasked = 0  # by those that have gone

    def join(self, node: str, outbox: Outbox) -> Exchange:
        """Return the exchange with the agent of ``node``, whose stream has begun."""
        exchange = Exchange(node, outbox, self.fleet, self.intake, self._reader)
        self._open.add(exchange)
        return exchange

    def leave(self, exchange: Exchange) -> None:
        """Forget an exchange, whose stream has ended."""
        self._open.discard(exchange)
        self._unasked += exchange.unasked

    async def begin(self) -> None:
        """Read what was decided, before the first agent comes."""
        await self.fleet.begin()

    async def run(self) -> None:
        """Keep up, for ever; then end the child."""
        try:
            await self.fleet.run()
        finally:
            await asyncio.shield(self.apart.stop())

    def counters(self) -> dict[str, int]:
        """Return figures for an operator."""
        fleet, intake = self.fleet, self.intake
        rejected = dict(intake.rejected) | {
            "unasked": self._unasked + sum(one.unasked for one in self._open),
            "malformed": self.in_use.malformed,
            "busy": self.apart.refused,
        }
        return {
            "baselines.fragments": fleet.fragments,
            "baselines.published": sum(fleet.in_force(name) is not None for name in fleet.published),
            "baselines.revoked": len(fleet.revocations),
            "baselines.taken": intake.taken,
            "baselines.dropped.room": intake.dropped,
            "baselines.dropped.unused": fleet.unused,
            "baselines.dropped.revocations": fleet.forgotten,
            "baselines.reading": self.apart.waiting,
            "baselines.waiting": sum(one.waiting for one in self._open),
            **{f"baselines.rejected.{cause}": count for cause, count in sorted(rejected.items()) if count},
            **{f"baselines.pushed.{outcome}": count for outcome, count in sorted(fleet.outcomes.items())},
        }
