"""The store with everything that keeps it going, started and stopped together.

In: where the store is and how much it keeps. Out: a feed, a reader and a writer to serve with; what an operator should
know of them. Why its own module: the server need not know which database it is. Next: ``server``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from driftline.errors import StateError
from driftline_collector.agents import Agents
from driftline_collector.checkpoint import Checkpointer
from driftline_collector.feed import Feed
from driftline_collector.reader import Reader
from driftline_collector.replicas import Relay
from driftline_collector.retention import Keep, Removed, Retention
from driftline_collector.store import Store
from driftline_collector.store_address import PostgresAddress
from driftline_collector.store_sqlite import SqliteStore
from driftline_collector.writer import Writer

if TYPE_CHECKING:
    from driftline_collector.outputs.leases import Leases
    from driftline_collector.store_postgres import PostgresStore

REFRESH_SECONDS = 2.0
"""How long a list of agents waits for a database that hangs, which is when somebody looks at it."""

_T = TypeVar("_T")


class Keeping(NamedTuple):
    """Where deviations are kept (None: SQLite in the state directory), and how long."""

    store: PostgresAddress | None = None
    keep: Keep = Keep()


class Storage:
    """An open store and its tasks in the running event loop.

    ``advanced`` is called when something new is in the feed, ``removed`` with what retention took away. Raises
    StateError or SettingsError if the store cannot be used.
    """

    def __init__(self, state: Path, keeping: Keeping, advanced: Callable[[], None], removed: Removed) -> None:
        self._address = keeping.store
        self._keep = keeping.keep
        self._helpers: list[Any] = []  # threads with start and stop
        self._tasks: list[asyncio.Future[Any]] = []
        self._loop = asyncio.get_running_loop()
        self._died: asyncio.Future[None] = self._loop.create_future()
        self.store, self._committed = self._open(state, advanced)
        self.noting: list[Callable[[list[Any]], None]] = []
        """Told of each of our own commits."""
        self.looked: Callable[[], None] = lambda: None
        """Called when it is time to look what other replicas did."""
        self.writer = Writer(self.store, self._announce)
        self.agents = Agents(self.store.agents())
        self._retention = Retention(self.reader, self.writer, self.agents, self._keep, removed)

    def _open(self, state: Path, advanced: Callable[[], None]) -> tuple[Store, Callable[[list[Any]], None]]:
        if self._address is None:
            local = SqliteStore(state)
            self._join(local, advanced)
            self._helpers.append(Checkpointer(local))
            return local, self.feed.publish
        from driftline_collector.store_postgres import PostgresStore

        shared = PostgresStore(self._address)
        self._join(shared, advanced)
        return shared, self._listen(shared)

    def leases(self) -> Leases | None:
        """Return what agrees with other collectors on the store who sends an output; None: there are no others."""
        if self._address is None:
            return None
        from driftline_collector.outputs.leases import Leases

        return Leases(self._address)

    def _announce(self, changes: list[Any]) -> None:
        for note in self.noting:  # first: what followers are told of silences must be true
            note(changes)
        self._committed(changes)

    def _join(self, store: Store, advanced: Callable[[], None]) -> None:
        self.feed = Feed(store.revision, advanced)
        self.reader = Reader(store)

    def _listen(self, store: PostgresStore) -> Callable[[list[Any]], None]:
        """Have other replicas' commits told; return what takes ours."""
        from driftline_collector.notices import Notices

        self._relay = relay = Relay(self.reader, self.feed)

        def told(revision: int) -> None:
            relay.told(revision)
            self.looked()

        self._helpers.append(Notices(store, self._later(told), self._later(self._die)))
        return relay.committed

    def _later(self, function: Callable[[_T], None]) -> Callable[[_T], object]:
        """Return what other threads may call instead of ``function``."""
        return lambda argument: self._loop.call_soon_threadsafe(function, argument)

    def start(self) -> None:
        """Start threads and tasks."""
        self.writer.start()
        for helper in self._helpers:
            helper.start()
        work = [self._retention.run(), *([self._relay.run()] if self.store.shared else [])]
        self._tasks = [asyncio.ensure_future(one) for one in work]

    @property
    def ends(self) -> list[asyncio.Future[Any]]:
        """What is only ever done by a bug, with its exception."""
        return [self.writer.died, self._died, *self._tasks]

    def _die(self, error: Exception) -> None:
        if not self._died.done():
            self._died.set_exception(error)

    async def refresh_agents(self) -> None:
        """Learn of the agents that report to other replicas. Raises StateError."""
        if not self.store.shared:
            return
        try:
            async with asyncio.timeout(REFRESH_SECONDS):
                self.agents.learn(await self.reader.agents())
        except TimeoutError:
            raise StateError("the store does not answer") from None

    def counters(self) -> dict[str, int]:
        """Return what the store takes, and what was removed from it since it was made."""
        return dict(self._retention.counters)

    @property
    def warnings(self) -> list[str]:
        """What whoever looks must know."""
        trouble = [self.writer.trouble] if self.writer.trouble else []
        return [*(self._address.warnings if self._address else []), *trouble, *self._retention.warnings]

    async def stop(self) -> None:
        """Commit what waits, end threads and tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.writer.stop()

    async def close(self) -> None:
        """Close the store."""
        for helper in self._helpers:
            await asyncio.to_thread(helper.stop)
        self.store.close()
        self.reader.close()
