"""Store questions asked from the event loop.

In: filters and places. Out: pages, read in a few threads so that the loop goes on. Why its own module: only here do
coroutines meet the blocking store. Next: ``follow`` and ``listing``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from driftline_collector.filters import DeviationFilter
from driftline_collector.schema import READERS
from driftline_collector.store import Page, Store

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Reader:
    """Reads ``store`` in at most READERS threads. Every question raises StateError if the store cannot answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="driftline-reader")

    async def revision_before(self, since_wall_ns: int) -> int:
        """See ``Store.revision_before``."""
        return await self._ask(self._store.revision_before, since_wall_ns)

    async def forward(self, wanted: DeviationFilter, after: int, last: int, limit: int) -> Page:
        """See ``Store.forward``."""
        return await self._ask(self._store.forward, wanted, after, last, limit)

    async def backward(self, wanted: DeviationFilter, before: int, limit: int) -> Page:
        """See ``Store.backward``."""
        return await self._ask(self._store.backward, wanted, before, limit)

    async def _ask(self, question: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: question(*args, **kwargs))

    def close(self) -> None:
        """End the threads once their present questions are answered."""
        self._threads.shutdown()
