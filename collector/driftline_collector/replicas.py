"""What other replicas commit, brought to our followers in its order.

In: our own commits, and word of others' (``notices``). Out: the feed, advanced revision by revision. Why not each as it
comes: word of revision 90 may arrive after we committed 91. What is next is offered at once; what is not waits for the
revisions between, which are read from the table. Whatever word was missed, the next one makes up for it. Everything
runs in the event loop; one task reads. Next: ``feed``.
"""

from __future__ import annotations

import asyncio
from collections import deque

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.service import BATCH_DEVIATIONS
from driftline_collector.feed import FOLLOWER_DEVIATIONS, Feed
from driftline_collector.filters import DeviationFilter
from driftline_collector.reader import Reader

OWN_DEVIATIONS = FOLLOWER_DEVIATIONS
"""Our own commits kept while others' are read; beyond it they are read from the table like the others'."""

RETRY_SECONDS = 1.0
"""Pause after the table could not be read."""

_EVERYTHING = DeviationFilter(pb.DeviationFilter())


class Relay:
    """Advances ``feed``."""

    def __init__(self, reader: Reader, feed: Feed) -> None:
        self._reader = reader
        self._feed = feed
        self._own: deque[list[pb.StoredDeviation]] = deque()
        self._waiting = 0  # deviations in _own
        self._known = feed.revision  # the last revision we were told of
        self._behind = asyncio.Event()

    def committed(self, changes: list[pb.StoredDeviation]) -> None:
        """Note our own commit."""
        if not self._behind.is_set() and changes[0].revision == self._feed.revision + 1:
            self._feed.publish(changes)
            return
        if self._waiting < OWN_DEVIATIONS:
            self._own.append(changes)
            self._waiting += len(changes)
        self.told(changes[-1].revision)

    def told(self, revision: int) -> None:
        """Note that everything up to ``revision`` is committed, by whomever."""
        self._known = max(self._known, revision)
        if self._known > self._feed.revision:
            self._behind.set()

    async def run(self) -> None:
        """Advance the feed whenever it is behind, for ever."""
        while True:
            await self._behind.wait()
            try:
                while self._feed.revision < self._known:
                    await self._advance()
            except StateError:  # the writer and ``notices`` tell what the database is ill with
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._own.clear()
            self._waiting = 0
            self._behind.clear()

    async def _advance(self) -> None:
        position = self._feed.revision
        while self._own and self._own[0][-1].revision <= position:
            self._drop()
        if self._own and self._own[0][0].revision <= position + 1:
            changes = self._drop()
            self._feed.publish([change for change in changes if change.revision > position])
            return
        last = self._own[0][0].revision - 1 if self._own else self._known
        if not self._feed.followed:  # nobody listens: there is nothing to read
            self._feed.publish([], last)
            return
        page = await self._reader.forward(_EVERYTHING, position, last, BATCH_DEVIATIONS)
        self._feed.publish(page.deviations, page.reached)

    def _drop(self) -> list[pb.StoredDeviation]:
        changes = self._own.popleft()
        self._waiting -= len(changes)
        return changes
