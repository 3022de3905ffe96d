"""The Tail call: stored deviations, then new ones, without gap or duplicate at the seam.

In: a filter, where to begin, whether to follow. Out: responses, each with a cursor to go on from. Why it joins the
feed only when nearly caught up: a follower's queue is bounded, and a long replay must not overflow it. Why the seam is
exact: joining and noting the last committed revision happen in one step of the event loop. Next: ``cli.tail``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.service import BATCH_BYTES, BATCH_DEVIATIONS
from driftline_collector.feed import FOLLOWER_DEVIATIONS, Feed, Follower
from driftline_collector.filters import DeviationFilter
from driftline_collector.reader import Reader
from driftline_collector.screen import Screen
from driftline_collector.silences import Silences

SEAM_REVISIONS = FOLLOWER_DEVIATIONS // 4
"""So few revisions behind, a replay joins the feed: what is committed while it reads the rest fits the queue."""


class Follow:
    """Serves Tail."""

    def __init__(self, reader: Reader, feed: Feed, silences: Silences, store_id: str) -> None:
        self._reader = reader
        self._feed = feed
        self._silences = silences
        self._store_id = store_id

    async def tail(self, request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailResponse]:
        """Send what ``request`` asks for until it ends or the caller goes."""
        try:
            wanted = DeviationFilter(request.filter)
            if request.resume.store_id == self._store_id:
                wanted = wanted.without_since()
            start = await self._start(request, wanted)
            async for response in self._send(request, wanted, start, context):
                yield response
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except StateError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))

    async def _start(self, request: pb.TailRequest, wanted: DeviationFilter) -> int:
        """Return the revision after which to begin."""
        if request.resume.store_id == self._store_id:
            return await self._resume(request.resume.revision)
        if request.replay:
            return await self._reader.revision_before(wanted.since_wall_ns) if wanted.since_wall_ns else 0
        return self._feed.revision

    async def _resume(self, revision: int) -> int:
        """Return where to go on."""
        if revision <= self._feed.revision:
            return revision
        return min(revision, await self._stored())

    async def _stored(self) -> int:
        """Return the newest revision there is. What another replica stored may not have reached this one's feed."""
        return max(self._feed.revision, await self._reader.newest())

    async def _send(
        self, request: pb.TailRequest, wanted: DeviationFilter, start: int, context: Any
    ) -> AsyncIterator[pb.TailResponse]:
        position = start
        screen = Screen(self._silences, request.silenced)
        if not request.follow:
            last = await self._stored()
            async for response in self._replay(wanted, screen, position, last):
                yield response
            yield self._caught_up(screen, max(position, last))
            return
        while (behind := self._feed.revision) - position > SEAM_REVISIONS:
            async for response in self._replay(wanted, screen, position, behind):
                yield response
            position = behind
        follower = self._feed.join(wanted.without_since(), position)
        if follower is None:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many followers")
            return
        try:
            last = follower.revision
            async for response in self._replay(wanted, screen, position, last):
                yield response
            yield self._caught_up(screen, max(position, last))
            async for response in self._live(follower, screen):
                yield response
        finally:
            self._feed.leave(follower)

    async def _replay(
        self, wanted: DeviationFilter, screen: Screen, position: int, last: int
    ) -> AsyncIterator[pb.TailResponse]:
        """Send the stored matches after ``position`` up to ``last``."""
        while position < last:
            page = await self._reader.forward(wanted, position, last, BATCH_DEVIATIONS)
            position = page.reached
            for chunk in _chunks(screen.visible(page.deviations)):
                yield screen.annotate(self._response(chunk, chunk[-1].revision))

    def _caught_up(self, screen: Screen, revision: int) -> pb.TailResponse:
        response = self._response([], revision)
        response.caught_up = True
        return screen.annotate(response)

    async def _live(self, follower: Follower, screen: Screen) -> AsyncIterator[pb.TailResponse]:
        reached = follower.revision
        while True:
            try:
                async with asyncio.timeout(screen.due):
                    taken, missed = await follower.take(BATCH_DEVIATIONS)
            except TimeoutError:
                taken, missed = [], 0
            for chunk in _chunks(screen.visible(taken)):
                reached = chunk[-1].revision
                response = screen.annotate(self._response(chunk, reached))
                response.missed, missed = missed, 0
                yield response
            reached = taken[-1].revision if taken else reached
            if missed or screen.due == 0.0:  # and nothing to send it with
                response = screen.annotate(self._response([], reached))
                response.missed = missed
                yield response

    def _response(self, deviations: list[pb.StoredDeviation], reached: int) -> pb.TailResponse:
        return pb.TailResponse(deviations=deviations, cursor=pb.Cursor(store_id=self._store_id, revision=reached))


def _chunks(deviations: Iterable[pb.StoredDeviation]) -> Iterable[list[pb.StoredDeviation]]:
    """Cut so that each piece fits a message."""
    chunk: list[pb.StoredDeviation] = []
    size = 0
    for item in deviations:
        chunk.append(item)
        size += item.ByteSize()
        if size >= BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
