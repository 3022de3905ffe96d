"""The one writer thread.

In: jobs from the event loop. Out: commits, announced back in the loop: first to followers, then to whoever waits for
the acknowledgement. Why one thread that takes whatever waits: many agents share one transaction when it is busy, and
one deviation goes alone, at once, when it is not. Whatever the store is ill with, it is said once, agents are told to
wait, and the first commit that works ends it. Next: ``feed`` and ``ingest``; ``retention`` has its removals done here.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from driftline.errors import StateError
from driftline.wire.exposition import Histogram
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector.store import Store

TRANSACTION_DEVIATIONS = 4096
"""Jobs join one transaction until it holds this many: then nobody waits much over 100 ms for an acknowledgement."""

ANSWER_SECONDS = 20.0
"""A store that has not answered for so long is taken for stuck: agents are sent away, to come back with what they kept,
instead of piling up here. The longest time limit a database has of its own is shorter."""

PROOF_DEVIATIONS = 256
"""Of what the store refused so many are kept, some hundred KiB, to see whether it takes them now. On a full disk a
heartbeat or a counter often still finds room, in the rest of a page: that it was stored proves nothing."""

STOP_SECONDS = 3.0
"""How long a stuck store may hold up the end: what it did not take was not acknowledged."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    deviations: list[deviation_pb2.Deviation]
    statuses: list[pb.AgentStatus]
    work: Callable[[], None] | None = None
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Writer:
    """Commits to ``store``; ``committed`` is called in the event loop with the changes of each transaction.

    The queue is bounded by its callers: each agent's stream waits for its batch before it reads the next, and none
    waits longer than ANSWER_SECONDS. ``died`` is done, with the exception, if the thread ends by a bug.
    """

    def __init__(self, store: Store, committed: Callable[[list[pb.StoredDeviation]], None]) -> None:
        self._store = store
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="driftline-writer", daemon=True)
        self._busy_since = 0.0  # monotonic; 0 while it waits for jobs
        self._ill_since = 0.0
        self._refused: list[deviation_pb2.Deviation] = []
        self.trouble = ""
        self.committing = Histogram()
        self.died: asyncio.Future[None] = self._loop.create_future()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._jobs.qsize()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    async def write(self, deviations: list[deviation_pb2.Deviation], statuses: list[pb.AgentStatus]) -> None:
        """Return once all is committed. Raises StateError if it could not be, or if nobody knows yet."""
        await self._do(_Job(deviations, statuses))

    async def prove(self, statuses: list[pb.AgentStatus]) -> None:
        """Write ``statuses``, and with them what the store refused last, if it did. Raises StateError as ``write``.

        What was refused comes again from its agents, and is stored once.
        """
        if statuses or self._refused:
            await self.write(list(self._refused), statuses)

    async def run(self, work: Callable[[Store], _T]) -> _T:
        """Have ``work`` done between two transactions; it must be short. Raises StateError."""
        results: list[_T] = []
        await self._do(_Job([], [], lambda: results.append(work(self._store))))
        return results[0]

    async def _do(self, job: _Job) -> None:
        if self._busy_since and time.monotonic() - self._busy_since > ANSWER_SECONDS:
            raise self._stuck()
        self._jobs.put(job)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await job.done
        except TimeoutError:
            raise self._stuck() from None

    async def stop(self) -> None:
        """Commit what waits, then end the thread, unless it is stuck in the database."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, STOP_SECONDS)

    def _run(self) -> None:
        try:
            while jobs := self._take():
                self._busy_since = time.monotonic()
                self._commit(jobs)
                self._busy_since = 0.0
        except Exception as error:  # noqa: BLE001 - a bug here must stop the collector, not only this thread
            if not self._loop.is_closed():  # else it was stuck in the database when all else had stopped
                self._loop.call_soon_threadsafe(_fail, [self.died], error)

    def _take(self) -> list[_Job]:
        """Wait for jobs; none means the end."""
        job = self._jobs.get()
        if job is None:
            return []
        jobs, size = [job], len(job.deviations)
        while size < TRANSACTION_DEVIATIONS and not self._jobs.empty():
            if (job := self._jobs.get_nowait()) is None:
                self._jobs.put(None)
                break
            jobs.append(job)
            size += len(job.deviations)
        return jobs

    def _commit(self, jobs: list[_Job]) -> None:
        jobs = [job for job in jobs if not job.done.done()]  # else its agent has gone, and comes back with it
        writes = [job for job in jobs if job.work is None]
        deviations = [deviation for job in writes for deviation in job.deviations]
        statuses = [status for job in writes for status in job.statuses]
        if writes:
            self._attempt(writes, lambda: self._store.commit(deviations, statuses))
        for job in jobs:
            if job.work is not None:
                self._attempt([job], lambda work=job.work: work() or [])  # type: ignore[misc]

    def _attempt(self, jobs: list[_Job], work: Callable[[], list[pb.StoredDeviation]]) -> None:
        begun = time.monotonic()
        try:
            changes = work()
            self.committing.observe(time.monotonic() - begun)
        except StateError as error:
            self._loop.call_soon_threadsafe(self._failed, jobs, error)
        else:
            self._loop.call_soon_threadsafe(self._announce, jobs, changes)

    def _announce(self, jobs: list[_Job], changes: list[pb.StoredDeviation]) -> None:
        if any(job.deviations for job in jobs):
            self._refused = []
        if self.trouble and not self._refused:
            seconds = time.monotonic() - self._ill_since
            _log.warning("the store works again after %.0f s; agents deliver what they kept", seconds)
            self.trouble = ""
        if changes:
            self._committed(changes)
        for job in jobs:
            if not job.done.done():
                job.done.set_result(None)

    def _failed(self, jobs: list[_Job], error: StateError) -> None:
        refused = [deviation for job in jobs for deviation in job.deviations]
        self._refused = refused[:PROOF_DEVIATIONS] or self._refused
        self._complain(error)
        _fail([job.done for job in jobs], error)

    def _stuck(self) -> StateError:
        error = StateError(
            f"the store has not answered for {ANSWER_SECONDS:.0f} s", "look at the database's log and its disk"
        )
        self._complain(error)
        return error

    def _complain(self, error: StateError) -> None:
        """Say once per illness what is wrong and what to do."""
        if not self.trouble:
            self._ill_since = time.monotonic()
            _log.error("%s; nothing is acknowledged, agents wait. Try: %s", error.args[0], error.hint)
        self.trouble = str(error.args[0])


def _fail(futures: list[asyncio.Future[None]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
