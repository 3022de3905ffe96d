"""What all nodes are to have: published baselines, revocations; and what became of them.

In: what people publish and revoke, here or at another replica; outcomes agents tell. Out: each agent's ``exchange`` is
told at once of what is new. Why a place in one order: whoever knows everything up to a place asks the store for what
came after it, so that a notice may be missed. Outcomes are stored some at a time: when a thousand nodes take a
baseline, deviations go first. Belongs to the event loop. Next: ``exchange``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline_collector import baselines_store
from driftline_collector.baselines_store import REVOCATIONS, InForce, Outcome
from driftline_collector.in_use import InUse
from driftline_collector.reader import Reader
from driftline_collector.retention import DAY_SECONDS
from driftline_collector.store import Store
from driftline_collector.writer import Writer

STORE_SECONDS = 0.25
"""How often outcomes and lists of what nodes use are stored."""

COUNT_SECONDS = 10.0
"""How often the fragments are counted."""

SWEEP_SECONDS = 3600.0
"""How often it is looked for what nobody needs any more."""

UNUSED_DAYS = 180
"""What nodes learned of an image goes when none of them used it for so long."""

ORPHANED_SECONDS = 3600
"""A content whose row never came is of a writer that crashed; the largest is written within minutes."""

_log = logging.getLogger(__name__)

Version = tuple[str, str]  # name, version
Key = tuple[str, str, str]  # node, name, version of a revocation


class Told(Protocol):
    """Who is told of what is new: the exchange of one agent."""

    def published(self, one: InForce) -> None:
        """Something was published."""

    def revoked(self, one: baseline_pb2.Revocation) -> None:
        """Something was revoked."""


class Fleet:
    """What was decided, in memory as in the store."""

    def __init__(self, reader: Reader, writer: Writer, in_use: InUse, exchanges: Collection[Told]) -> None:
        self._reader = reader
        self._writer = writer
        self.in_use = in_use
        self.published: dict[str, InForce] = {}
        self.revocations: dict[Version, baseline_pb2.Revocation] = {}
        """By name and version, in their order."""
        self._exchanges = exchanges
        self.fragments = 0
        self.unused = 0
        """Fragments removed because nobody used the baseline."""
        self.forgotten = 0
        """Revocations that had to make room."""
        self.outcomes: Counter[str] = Counter()
        self._place = 0
        self._reading = asyncio.Lock()
        self._look = asyncio.Event()
        self._unstored: dict[Key, Outcome] = {}
        self._swept = time.monotonic()
        self._counted = float("-inf")

    # --- what was decided --------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look soon whether anything was published or revoked: somebody else may have done it."""
        self._look.set()

    async def refresh(self) -> None:
        """Take over what was decided since the last time, and tell every exchange. Raises StateError."""
        async with self._reading:
            found = await self._reader.rows(baselines_store.last_place())
            last = found[0].value if found else 0
            if last == self._place:
                return
            everything = len(self.revocations) > REVOCATIONS  # the oldest have gone
            revoked = await self._reader.rows(baselines_store.revoked_between(0 if everything else self._place, last))
            published = await self._reader.rows(baselines_store.published_between(self._place, last))
            self._place = last
            self._take_revocations([baseline_pb2.Revocation.FromString(row.body) for row in revoked], everything)
            self._take_published(map(baselines_store.in_force, published))

    def _take_revocations(self, found: Iterable[baseline_pb2.Revocation], everything: bool) -> None:
        before = self.revocations
        kept = {} if everything else dict(before)
        for one in found:
            kept.pop((one.name, one.version), None)  # it comes last now
            kept[one.name, one.version] = one
        self.revocations = kept
        for key, one in kept.items():
            if before.get(key) != one:
                for exchange in self._exchanges:
                    exchange.revoked(one)

    def _take_published(self, found: Iterable[InForce]) -> None:
        for one in found:
            if self.published.get(one.name) != one:
                self.published[one.name] = one
                for exchange in self._exchanges:
                    exchange.published(one)

    def in_force(self, name: str) -> InForce | None:
        """Return what is to be in force of ``name``: None if nothing was published, or it was revoked."""
        one = self.published.get(name)
        return None if one is None or (name, one.said.version) in self.revocations else one

    # --- what became of it -------------------------------------------------------------------------------------------

    def note(self, outcome: Outcome) -> None:
        """Keep what became of something on a node."""
        self._unstored[outcome.node, outcome.name, outcome.revoked] = outcome
        self.outcomes[baseline_pb2.Outcome.Name(outcome.outcome).removeprefix("OUTCOME_").lower()] += 1

    async def outcomes_on(self, node: str, state_id: str) -> list[Outcome]:
        """Return what became of everything in the present state of ``node``; forget its earlier ones.

        Raises StateError.
        """
        rows = await self._reader.rows(baselines_store.outcomes_on(node))
        found = {(row.node, row.name, row.revoked): Outcome(**row._mapping) for row in rows}
        if any(one.state_id != state_id for one in found.values()):
            await self._writer.run(lambda store: baselines_store.drop_other_states(store, node, state_id))
        found |= {key: one for key, one in self._unstored.items() if key[0] == node}
        return [one for one in found.values() if one.state_id == state_id]

    # --- keeping -----------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Read what is known before the first agent comes; ``run`` does it if the store cannot be read now."""
        try:
            await self.in_use.refresh()
            await self.refresh()
        except StateError as error:
            _log.warning("%s; published baselines go to agents once they can be read", error.args[0])
            self.look()

    async def _count(self) -> None:
        self._counted = time.monotonic()
        self.fragments = (await self._reader.rows(baselines_store.fragment_count()))[0][0]

    async def run(self) -> None:
        """Store what agents tell, take over what others decide, remove what nobody needs, for ever."""
        while True:
            try:
                await self._once()
            except StateError:  # the writer says what the store is ill with
                self._look.set()
            await asyncio.sleep(STORE_SECONDS)

    async def _once(self) -> None:
        if self._look.is_set():
            self._look.clear()
            await self.refresh()
        await self.in_use.flush()
        await self._flush()
        if time.monotonic() - self._counted >= COUNT_SECONDS:
            await self._count()
        if time.monotonic() - self._swept >= SWEEP_SECONDS:
            self._swept = time.monotonic()
            await self._sweep()

    async def _flush(self) -> None:
        unstored, self._unstored = self._unstored, {}
        if not unstored:
            return
        try:
            await self._writer.run(lambda store: baselines_store.keep_outcomes(store, unstored.values()))
        except BaseException:
            self._unstored = unstored | self._unstored
            raise

    async def _sweep(self) -> None:
        """A name that is used is noted so at most once a day."""
        await self.in_use.refresh()
        now = self._reader.clock.now()
        names = sorted({one.name for told in self.in_use.all().values() for one in told.baselines})
        for place in range(0, len(names), _NAMES):
            await self._writer.run(_touching(names[place : place + _NAMES], now - DAY_SECONDS))
        unused_s = now - UNUSED_DAYS * DAY_SECONDS
        more = True
        while more:
            gone, lost = await self._writer.run(
                lambda store: baselines_store.sweep(store, unused_s, now - ORPHANED_SECONDS)
            )
            self.unused += gone
            more = bool(gone or lost)
            await asyncio.sleep(STORE_SECONDS)


_NAMES = 1_000
"""Names in one statement."""


def _touching(names: list[str], before_s: int) -> Callable[[Store], None]:
    return lambda store: baselines_store.touch(store, names, before_s)
