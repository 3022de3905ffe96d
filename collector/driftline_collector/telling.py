"""Telling one agent what was decided.

In: what was published and revoked, outcomes. Out: revocations, then published baselines piece by piece, one at a time,
each answered before the next. Each goes once to each state directory of the node: what local people change there
afterwards stays. Belongs to the event loop. Next: ``outbox`` sends, ``fleet`` keeps the outcomes.
"""

from __future__ import annotations

import asyncio

from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import baselines_store
from driftline_collector.again import Again
from driftline_collector.baselines_store import InForce, Outcome
from driftline_collector.fleet import Fleet, Version
from driftline_collector.outbox import Outbox
from driftline_collector.reader import Reader

OUTCOME_SECONDS = 120.0
"""How long an agent may take to say what became of something: it verifies and writes, niced."""

REASON_CHARACTERS = 1_000
"""Longest reason kept."""

SETTLED = frozenset({baseline_pb2.OUTCOME_TAKEN, baseline_pb2.OUTCOME_REFUSED})
"""Outcomes after which nothing is sent again."""


class Telling:
    """Tells the agent of ``node``. ``news`` is set when ``look`` has something to do.

    Things are told apart by name and, of a revocation, version; for what is published that is empty.
    """

    def __init__(self, node: str, outbox: Outbox, fleet: Fleet, reader: Reader) -> None:
        self._node = node
        self._outbox = outbox
        self._fleet = fleet
        self._reader = reader
        self._state_id = ""
        self._listed = ""  # the state_id for which everything to send is listed
        self._revocations: dict[Version, None] = {}
        self._published: dict[str, None] = {}
        self._taken: dict[str, InForce] = {}
        self._again = Again[Version]()
        self._sent: tuple[Version, str] | None = None  # what, and its version
        self._answer: asyncio.Future[baseline_pb2.BaselineOutcome] | None = None
        self.news = asyncio.Event()

    def state(self, state_id: str) -> None:
        """Take the name of the agent's state directory; until it has one, nothing is sent."""
        self._state_id = state_id
        if self._listed != state_id:
            self.news.set()

    def outcome(self, told: baseline_pb2.BaselineOutcome) -> bool:
        """Take what became of something; return whether it was sent."""
        key = told.name, told.version if told.revocation else ""
        if (key, told.version) != self._sent or self._answer is None or self._answer.done():
            return False
        self._answer.set_result(told)
        return True

    def published(self, one: InForce) -> None:
        """Take what was published."""
        self._published[one.name] = None
        self._again.now((one.name, ""))
        self.news.set()

    def revoked(self, one: baseline_pb2.Revocation) -> None:
        """Take what was revoked."""
        self._revocations[one.name, one.version] = None
        for key in ((one.name, one.version), (one.name, "")):
            self._again.now(key)
        self.news.set()

    @property
    def waiting(self) -> int:
        """How much is not answered."""
        return len(self._revocations) + len(self._published)

    async def look(self) -> float | None:
        """Send all it does not have; return after how many seconds to look again, None: when there is news.

        Raises StateError.
        """
        if not self._state_id:
            return None
        if self._listed != self._state_id:
            await self._list(self._state_id)
        while self._listed == self._state_id:
            if version := next(filter(self._again.due, self._revocations), None):
                await self._revoke(version)
            elif name := next((one for one in self._published if self._again.due((one, ""))), None):
                await self._publish(name)
            else:
                break
        return self._again.pause([*self._revocations, *((name, "") for name in self._published)])

    async def _list(self, state_id: str) -> None:
        """List everything this state of the node has not settled yet."""
        found = await self._fleet.outcomes_on(self._node, state_id)
        settled = {(one.name, one.revoked): one for one in found if one.outcome in SETTLED}
        self._revocations = {key: None for key in self._fleet.revocations if key not in settled}
        self._published, self._taken, self._again = {}, {}, Again()
        for name, one in self._fleet.published.items():
            before = settled.get((name, ""))
            if before is None or before.version != one.said.version:
                self._published[name] = None
            elif before.outcome == baseline_pb2.OUTCOME_TAKEN:
                self._taken[name] = one
        self._listed = state_id

    async def _revoke(self, key: Version) -> None:
        one = self._fleet.revocations.get(key)
        if one is None:  # it had to make room
            del self._revocations[key]
            return
        self._expect(key, one.version)
        await self._outbox.offer(pb.ReportResponse(revocation=one))
        outcome = await self._settle(key, one.version)
        if outcome in SETTLED and self._fleet.revocations.get(key) == one:
            self._revocations.pop(key, None)

    async def _publish(self, name: str) -> None:
        one = self._fleet.in_force(name)
        if one is None or self._has(one):
            del self._published[name]
            return
        self._expect((name, ""), one.said.version)
        if not await self._send(one):
            return
        outcome = await self._settle((name, ""), one.said.version, one)
        if outcome == baseline_pb2.OUTCOME_TAKEN:
            self._taken[name] = one
        if outcome in SETTLED and self._fleet.in_force(name) == one:
            self._published.pop(name, None)

    def _has(self, one: InForce) -> bool:
        taken = self._taken.get(one.name)
        return taken is not None and (taken.said.version, taken.kept.sha256) == (one.said.version, one.kept.sha256)

    async def _send(self, one: InForce) -> bool:
        """Send the whole, or what of it the agent wants; return whether it is still in force."""
        assert self._answer is not None
        offset = place = 0
        while offset < one.kept.size and not self._answer.done():
            rows = await self._reader.rows(baselines_store.piece(one.kept.whole, place))
            if not rows or self._fleet.in_force(one.name) != one:
                return False
            part = baseline_pb2.BaselinePart(
                name=one.name,
                version=one.said.version,
                format=one.said.format,
                size=one.kept.size,
                offset=offset,
                data=rows[0].data,
                sha256=one.kept.sha256,
            )
            await self._outbox.offer(pb.ReportResponse(baseline_part=part))
            offset, place = offset + len(part.data), place + 1
        return True

    def _expect(self, key: Version, version: str) -> None:
        self._sent, self._answer = (key, version), asyncio.get_running_loop().create_future()
        self._again.later(key)

    async def _settle(self, key: Version, version: str, one: InForce | None = None) -> int:
        """Wait for the outcome, have it kept, and return it; OUTCOME_WAITING if none came that counts.

        ``one``: what was published; what became of it is not kept once something else is, if only signed.
        """
        assert self._answer is not None
        await asyncio.wait((self._answer,), timeout=OUTCOME_SECONDS)
        self._sent = None
        if not self._answer.done() or self._listed != self._state_id:
            return baseline_pb2.OUTCOME_WAITING
        told = self._answer.result()
        outcome = told.outcome if told.outcome in SETTLED else baseline_pb2.OUTCOME_FAILED
        reason = told.reason.replace("\0", "")[:REASON_CHARACTERS]
        name, revoked = key
        if one is not None and self._fleet.in_force(name) != one:
            return outcome
        self._fleet.note(Outcome(self._node, name, revoked, self._state_id, version, outcome, reason))
        if outcome in SETTLED:
            self._again.now(key)
        return outcome
