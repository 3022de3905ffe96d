"""What a node learned, checked and kept.

In: a whole that an agent sent because it was asked. Out: a fragment in the store, or why not. Why so few at a time:
each may take WHOLE_BYTES of memory until it is kept. The store gets it in small steps, with deviations going between.
Belongs to the event loop. Next: ``baselines_store``.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import uuid
from collections import Counter
from functools import partial

from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.pieces import Whole
from driftline.wire.service import PART_BYTES
from driftline_collector.baseline_apart import Apart, UnfitError
from driftline_collector.baseline_facts import Facts, Misfit, misfit
from driftline_collector.baselines_store import Fragment, Kept, add_pieces, keep_fragment
from driftline_collector.writer import Writer

UPLOADS = 8
"""Baselines that come from agents at a time."""

STEP_PIECES = 4
"""Pieces written in one step: a MiB, some five milliseconds."""

_log = logging.getLogger(__name__)


class Intake:
    """Takes baselines. ``rejected`` counts those that were not taken, by cause."""

    def __init__(self, writer: Writer, apart: Apart) -> None:
        self._writer = writer
        self.apart = apart
        self.slots = asyncio.Semaphore(UPLOADS)
        self.rejected: Counter[str] = Counter()
        self.taken = 0
        self.dropped = 0
        """Fragments that had to make room."""

    async def take(self, node: str, wanted: baseline_pb2.BaselineInUse, whole: Whole) -> bool:
        """Keep what ``node`` learned; return whether it is fit. Raises StateError or BusyError: it is to be asked
        again."""
        try:
            facts = await self._read(whole)
        except UnfitError as error:
            self.reject(node, wanted, Misfit("content", str(error)))
            return False
        if wrong := misfit(facts, wanted.name, wanted.version) or _other_revision(facts, wanted):
            self.reject(node, wanted, wrong)
            return False
        fragment = Fragment(wanted.name, node, facts.image, _learned(facts), await self.keep(whole.data))
        self.dropped += await self._writer.run(lambda store: keep_fragment(store, fragment))
        self.taken += 1
        return True

    async def _read(self, whole: Whole) -> Facts:
        if whole.form != baseline_pb2.BASELINE_FORMAT_MSGPACK:
            raise UnfitError("what a node learned comes as msgpack")
        return await self.apart.check(whole.form, whole.data)

    async def keep(self, data: bytes) -> Kept:
        """Keep a content in pieces. Raises StateError. Nobody owns it yet: a row must name it within the hour."""
        name, step = uuid.uuid4().hex, STEP_PIECES * PART_BYTES
        for offset in range(0, len(data), step):
            cut = [
                data[place : place + PART_BYTES] for place in range(offset, min(offset + step, len(data)), PART_BYTES)
            ]
            await self._writer.run(partial(add_pieces, whole=name, first=offset // PART_BYTES, data=cut))
        return Kept(name, len(data), await asyncio.to_thread(_digest, data))

    def reject(self, node: str, wanted: baseline_pb2.BaselineInUse, wrong: Misfit) -> None:
        """Count and log a baseline that is not taken."""
        self.rejected[wrong.cause] += 1
        what = f"{wanted.name} {wanted.version}"
        _log.warning("a baseline of node %s is not taken: %s: %s", node, what, wrong.reason)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _other_revision(facts: Facts, wanted: baseline_pb2.BaselineInUse) -> Misfit | None:
    if facts.revision == wanted.revision:
        return None
    return Misfit("revision", f"it is revision {facts.revision}, announced was {wanted.revision}")


def _learned(facts: Facts) -> baseline_pb2.LearnedPart:
    return baseline_pb2.LearnedPart(
        version=facts.version,
        revision=facts.revision,
        behaviours=facts.behaviours,
        needs_review=facts.needs_review,
        reasons=facts.reasons,
        elapsed_ns=facts.elapsed_ns,
        startups=facts.startups,
        containers=facts.containers,
        received_wall_ns=time.time_ns(),
    )
