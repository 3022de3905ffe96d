"""The one writer thread.

In: jobs from the event loop. Out: commits, announced back in the loop: first to followers, then to whoever waits for
the acknowledgement. Why one thread that takes whatever waits: many agents share one transaction when it is busy, and
one deviation goes alone, at once, when it is not. Next: ``feed`` and ``ingest``.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector.store import Store

TRANSACTION_DEVIATIONS = 4096
"""Jobs join one transaction until it holds this many: then nobody waits much over 100 ms for an acknowledgement."""


@dataclass(slots=True)
class _Job:
    deviations: list[deviation_pb2.Deviation]
    statuses: list[pb.AgentStatus]
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Writer:
    """Commits to ``store``; ``committed`` is called in the event loop with the changes of each transaction.

    The queue is bounded by its callers: each agent's stream waits for its batch before it reads the next.
    ``died`` is done, with the exception, if the thread ends by a bug.
    """

    def __init__(self, store: Store, committed: Callable[[list[pb.StoredDeviation]], None]) -> None:
        self._store = store
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="driftline-writer", daemon=True)
        self.died: asyncio.Future[None] = self._loop.create_future()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    async def write(self, deviations: list[deviation_pb2.Deviation], statuses: list[pb.AgentStatus]) -> None:
        """Return once all is committed. Raises StateError if it could not be."""
        job = _Job(deviations, statuses)
        self._jobs.put(job)
        await job.done

    async def stop(self) -> None:
        """Commit what waits, then end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            while jobs := self._take():
                self._commit(jobs)
        except Exception as error:  # noqa: BLE001 - a bug here must stop the collector, not only this thread
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
        deviations = [deviation for job in jobs for deviation in job.deviations]
        try:
            changes = self._store.commit(deviations, [status for job in jobs for status in job.statuses])
        except StateError as error:
            self._loop.call_soon_threadsafe(_fail, [job.done for job in jobs], error)
        else:
            self._loop.call_soon_threadsafe(self._announce, jobs, changes)

    def _announce(self, jobs: list[_Job], changes: list[pb.StoredDeviation]) -> None:
        if changes:
            self._committed(changes)
        for job in jobs:
            if not job.done.done():
                job.done.set_result(None)


def _fail(futures: list[asyncio.Future[None]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
