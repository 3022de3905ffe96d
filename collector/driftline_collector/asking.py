"""Asking one agent for what it learned.

In: what it judges by, pieces. Out: questions, one at a time; what comes goes to ``intake``. Why a place is needed first
(``Intake.slots``): wholes that are on their way are in memory. Belongs to the event loop. Next: ``intake``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import Gathering, PieceError, Whole
from driftline_collector import baselines_store
from driftline_collector.again import Again
from driftline_collector.baseline_apart import BusyError
from driftline_collector.baseline_facts import Misfit
from driftline_collector.fleet import Fleet
from driftline_collector.intake import Intake
from driftline_collector.outbox import Outbox
from driftline_collector.reader import Reader

PART_SECONDS = 30.0
"""How long a wanted baseline may take to go on: an agent sends deviations first."""

UPLOAD_SECONDS = 300.0
"""How long it may take in all: others wait for its place."""

LEARNED = frozenset({baseline_pb2.BASELINE_STATE_CANDIDATE, baseline_pb2.BASELINE_STATE_ACTIVE})

Announced = tuple[str, str, int]  # name, version, revision


class Asking:
    """Asks the agent of ``node``. ``news`` is set when ``look`` has something to do."""

    def __init__(self, node: str, outbox: Outbox, fleet: Fleet, intake: Intake, reader: Reader) -> None:
        self._node = node
        self._outbox = outbox
        self._fleet = fleet
        self._intake = intake
        self._reader = reader
        self._uses: dict[Announced, baseline_pb2.BaselineInUse] = {}
        self._held: dict[str, tuple[str, int]] | None = None  # by name, what the store has; None: not read yet
        self._unfit: set[Announced] = set()
        self._again = Again[Announced]()
        self._asked: Announced | None = None
        self._gathering = Gathering()
        self._arriving: asyncio.Future[Whole] | None = None
        self._moved = 0.0  # when the last piece came, monotonic
        self.news = asyncio.Event()

    def announced(self, uses: Iterable[baseline_pb2.BaselineInUse]) -> None:
        """Take what the agent judges by now."""
        self._uses = {(one.name, one.version, one.revision): one for one in uses}
        self._unfit &= self._uses.keys()
        self._again.keep_only(self._uses)
        if self._asked is not None and self._asked not in self._uses and self._arriving is not None:
            self._arriving.cancel()  # it has another version by now, and says so instead of sending this one
        self.news.set()

    def part(self, part: baseline_pb2.BaselinePart) -> bool:
        """Take a piece; return whether it was asked for."""
        if self._asked is None or self._arriving is None or (part.name, part.version) != self._asked[:2]:
            return False
        if self._arriving.done():
            return True
        self._moved = time.monotonic()
        try:
            whole = self._gathering.take(part)
        except PieceError as error:
            self._arriving.set_exception(error)
            return True
        if whole is not None:
            self._arriving.set_result(whole)
        return True

    async def look(self) -> float | None:
        """Fetch all that is wanted; return after how many seconds to look again, None: when there is news.

        Raises StateError.
        """
        if self._held is None and self._uses:
            rows = await self._reader.rows(baselines_store.held_by(self._node))
            self._held = {row.name: (row.version, row.revision) for row in rows}
        while wanted := next((key for key in self._uses if self._wanted(key) and self._again.due(key)), None):
            async with self._intake.slots:
                if self._wanted(wanted):
                    await self._fetch(wanted)
        return self._again.pause(key for key in self._uses if self._wanted(key))

    def _wanted(self, key: Announced) -> bool:
        one = self._uses.get(key)
        if one is None or one.state not in LEARNED or not one.version or key in self._unfit or self._held is None:
            return False
        public = self._fleet.published.get(one.name)
        if (public is not None and public.said.version == one.version) or key[:2] in self._fleet.revocations:
            return False
        return self._held.get(one.name) != (one.version, one.revision)

    async def _fetch(self, key: Announced) -> None:
        """Ask for one and wait until it is kept, or will not come."""
        one, begun = self._uses[key], time.monotonic()
        self._asked, self._gathering, self._moved = key, Gathering(), begun
        self._arriving = asyncio.get_running_loop().create_future()
        self._again.later(key)
        wanted = baseline_pb2.BaselineWanted(name=one.name, version=one.version, revision=one.revision)
        try:
            await self._outbox.offer(pb.ReportResponse(baseline_wanted=wanted))
            whole = await self._arrival(self._arriving, begun)
        except PieceError as error:
            self._intake.reject(self._node, one, Misfit("pieces", str(error)))
            self._unfit.add(key)
            return
        finally:
            self._asked, self._gathering = None, Gathering()
        if whole is not None:
            await self._keep(key, one, whole)

    async def _arrival(self, arriving: asyncio.Future[Whole], begun: float) -> Whole | None:
        """Wait for the last piece; None if the agent takes too long, or has another version by now."""
        while not arriving.done():
            left = min(self._moved + PART_SECONDS, begun + UPLOAD_SECONDS) - time.monotonic()
            if left <= 0:
                self._intake.rejected["late"] += 1
                return None
            await asyncio.wait((arriving,), timeout=left)
        return None if arriving.cancelled() else arriving.result()

    async def _keep(self, key: Announced, one: baseline_pb2.BaselineInUse, whole: Whole) -> None:
        assert self._held is not None
        try:
            fit = await self._intake.take(self._node, one, whole)
        except BusyError:
            return
        if fit:
            self._held[one.name] = (one.version, one.revision)
        else:
            self._unfit.add(key)
