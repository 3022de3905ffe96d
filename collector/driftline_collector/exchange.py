"""The exchange of baselines with one agent, beside its deviations.

In: what it judges by, pieces of what it learned, outcomes. Out: questions for what it learned; revocations, then
published baselines. Why two tasks: an agent that is slow to send what it learned must not be the last to hear what is
revoked. What an agent says without having been asked is counted and dropped. Belongs to the event loop. Next:
``asking`` and ``telling`` are the two halves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.asking import Asking
from driftline_collector.baselines_store import InForce
from driftline_collector.fleet import Fleet
from driftline_collector.intake import Intake
from driftline_collector.outbox import Outbox
from driftline_collector.reader import Reader
from driftline_collector.telling import Telling

STORE_SECONDS = 5.0
"""Pause after the store could not be read or written."""


class Exchange:
    """With the agent of ``node``."""

    def __init__(self, node: str, outbox: Outbox, fleet: Fleet, intake: Intake, reader: Reader) -> None:
        self._node = node
        self._fleet = fleet
        self._asking = Asking(node, outbox, fleet, intake, reader)
        self._telling = Telling(node, outbox, fleet, reader)
        self.unasked = 0

    def take(self, request: pb.ReportRequest) -> None:
        """Take what the agent says; what no version of ours says yet is passed over. Never waits."""
        kind = request.WhichOneof("message")
        if kind == "baselines_in_use":
            told = self._fleet.in_use.set(self._node, request.baselines_in_use)
            self._asking.announced(told.baselines)
            self._telling.state(told.state_id)
        elif kind == "baseline_part":
            self.unasked += not self._asking.part(request.baseline_part)
        elif kind == "baseline_outcome":
            self.unasked += not self._telling.outcome(request.baseline_outcome)

    def published(self, one: InForce) -> None:
        """See ``fleet.Told``."""
        self._telling.published(one)

    def revoked(self, one: baseline_pb2.Revocation) -> None:
        """See ``fleet.Told``."""
        self._telling.revoked(one)

    @property
    def waiting(self) -> int:
        """How much of what was decided the agent has not answered."""
        return self._telling.waiting

    async def run(self) -> None:
        """Ask and tell, for ever."""
        await asyncio.gather(*(_keep_on(one.look, one.news) for one in (self._asking, self._telling)))


async def _keep_on(look: Callable[[], Awaitable[float | None]], news: asyncio.Event) -> None:
    """Look whenever there is news, and when something is to be tried again."""
    while True:
        news.clear()
        try:
            pause = await look()
        except StateError:  # the writer says what the store is ill with
            pause = STORE_SECONDS
        try:
            async with asyncio.timeout(pause):
                await news.wait()
        except TimeoutError:
            pass
