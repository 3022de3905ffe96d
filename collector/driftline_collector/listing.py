"""The ListDeviations and ListAgents calls.

In: a filter and a page token; nothing. Out: one page of stored deviations, newest change first; every agent. Next: the
CLI, exports, the web page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.service import BATCH_BYTES
from driftline_collector.filters import DeviationFilter
from driftline_collector.storage import Storage

PAGE_DEVIATIONS = 1000
"""Largest page; fewer come when they are large, so that a page fits a message."""

DEFAULT_PAGE_DEVIATIONS = 100


class Listing:
    """Serves ListDeviations and ListAgents."""

    def __init__(
        self, storage: Storage, warnings: Callable[[], list[str]], access: Callable[[], dict[str, int]]
    ) -> None:
        self._storage = storage
        self._reader = storage.reader
        self._warnings = warnings
        self._access = access

    async def list_deviations(self, request: pb.ListDeviationsRequest, context: Any) -> pb.ListDeviationsResponse:
        """Return one page."""
        try:
            before = _revision(request.page_token) if request.page_token else None
            limit = min(request.page_size or DEFAULT_PAGE_DEVIATIONS, PAGE_DEVIATIONS)
            return await self._page(DeviationFilter(request.filter), before, limit)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except StateError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        return pb.ListDeviationsResponse()  # not reached: abort raises

    async def _page(self, wanted: DeviationFilter, before: int | None, limit: int) -> pb.ListDeviationsResponse:
        response, size = pb.ListDeviationsResponse(), 0
        while before is None or before > 1:
            page = await self._reader.backward(wanted, before, limit - len(response.deviations))
            before = page.reached
            for item in page.deviations:
                size += item.ByteSize()
                response.deviations.append(item)
                if size >= BATCH_BYTES or len(response.deviations) >= limit:
                    response.next_page_token = str(item.revision)
                    return response
        return response

    async def list_agents(self, _request: pb.ListAgentsRequest, _context: Any) -> pb.ListAgentsResponse:
        """Return every agent that ever reported, to whichever replica."""
        try:
            await self._storage.refresh_agents()
        except StateError:  # what is known is shown all the same; the warnings say what is wrong
            pass
        agents = self._storage.agents.all()
        return pb.ListAgentsResponse(agents=agents, warnings=self._warnings(), access=self._access())


def _revision(token: str) -> int:
    if not (token.isascii() and token.isdigit() and len(token) < 19):
        raise ValueError("page_token is not one this collector gave")
    return int(token)
