"""Store questions asked from the event loop.

In: filters and places. Out: pages, read in a few threads so that the loop goes on. Why its own module: only here do
coroutines meet the blocking store. Next: ``follow`` and ``listing``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.filters import DeviationFilter
from driftline_collector.schema import READERS
from driftline_collector.store import REMOVED, Candidate, Page, Store
from driftline_collector.store_clock import StoreClock

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Reader:
    """Reads ``store`` in at most READERS threads. Every question raises StateError if the store cannot answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="driftline-reader")

    @property
    def shared(self) -> bool:
        """See ``Store.shared``."""
        return self._store.shared

    async def rows(self, query: Any) -> Sequence[Any]:
        """See ``Store.read``."""
        return await self._ask(self._store.read, query)

    @property
    def clock(self) -> StoreClock:
        """See ``Store.clock``."""
        return self._store.clock

    async def revision_before(self, since_wall_ns: int) -> int:
        """See ``Store.revision_before``."""
        return await self._ask(self._store.revision_before, since_wall_ns)

    async def forward(self, wanted: DeviationFilter, after: int, last: int, limit: int) -> Page:
        """See ``Store.forward``."""
        return await self._ask(self._store.forward, wanted, after, last, limit)

    async def backward(self, wanted: DeviationFilter, before: int | None, limit: int) -> Page:
        """See ``Store.backward``."""
        return await self._ask(self._store.backward, wanted, before, limit)

    async def newest(self) -> int:
        """See ``Store.newest``."""
        return await self._ask(self._store.newest)

    async def agents(self) -> list[pb.AgentStatus]:
        """See ``Store.agents``."""
        return await self._ask(self._store.agents)

    async def notes(self, topic: str) -> dict[str, bytes]:
        """See ``Store.notes``."""
        return await self._ask(self._store.notes, topic)

    async def counters(self, prefix: str = REMOVED) -> dict[str, int]:
        """See ``Store.counters``."""
        return await self._ask(self._store.counters, prefix)

    async def used_bytes(self) -> int:
        """See ``Store.used_bytes``."""
        return await self._ask(self._store.used_bytes)

    async def expired(self, before_s: int, limit: int) -> list[Candidate]:
        """See ``Store.expired``."""
        return await self._ask(self._store.expired, before_s, limit)

    async def least(self, limit: int) -> list[Candidate]:
        """See ``Store.least``."""
        return await self._ask(self._store.least, limit)

    async def _ask(self, question: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: question(*args, **kwargs))

    def close(self) -> None:
        """End the threads: the store is closed, which ended what they waited for."""
        self._threads.shutdown(cancel_futures=True)
