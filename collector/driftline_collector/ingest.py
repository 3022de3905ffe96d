"""The Report call: one stream per agent.

In: hello, batches, heartbeats, perhaps a goodbye. Out: an acknowledgement after each batch's commit, never before; what
the ``exchange`` of baselines has to say, in between. Why one batch at a time per stream: order is kept, and a stream
that is too fast is slowed by HTTP/2 instead of filling memory. Next: ``writer``.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any

import grpc

from driftline import __version__
from driftline.errors import StateError
from driftline.wire.exposition import Histogram
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.service import BATCH_DEVIATIONS
from driftline_collector.access import CALLER, require_node
from driftline_collector.agents import Agents, touch
from driftline_collector.exchange import Exchange
from driftline_collector.exchanges import Exchanges
from driftline_collector.outbox import Outbox
from driftline_collector.sentinel import Sentinel
from driftline_collector.validate import fault, understand
from driftline_collector.writer import Writer

HELLO_BYTES = 1024
"""Largest hello: a node name as Kubernetes allows (253 characters), a version and a boot id fit well."""

HEARTBEAT_BYTES = 256 * 1024
"""Largest heartbeat kept: an agent tells about a thousand losses one by one, which is a fifth of this."""


class MalformedError(ValueError):
    """What no agent may send; the message is for it."""


class Ingest:
    """Serves Report."""

    def __init__(self, writer: Writer, agents: Agents, sentinel: Sentinel, store_id: str, exchanges: Exchanges) -> None:
        self._writer = writer
        self._agents = agents
        self._sentinel = sentinel
        self._store_id = store_id
        self._exchanges = exchanges
        self.figures: Counter[str] = Counter()
        self.acknowledged = Histogram()

    async def report(self, requests: AsyncIterator[pb.ReportRequest], context: Any) -> AsyncIterator[pb.ReportResponse]:
        """Take one agent's stream until it ends."""
        first = await anext(aiter(requests), pb.ReportRequest())
        if not first.hello.node or "\0" in first.hello.node or first.hello.ByteSize() > HELLO_BYTES:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first message must be a hello with a node name")
        require_node(first.hello.node)
        status = self._agents.arrive(first.hello)
        if status is None:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many nodes")
            return
        status.transport = CALLER.get().transport
        try:
            await self._writer.prove([status])  # a store that cannot write must not welcome anybody
            yield pb.ReportResponse(welcome=self._welcome)
            async with aclosing(self._serve(requests, status)) as responses:
                async for response in responses:
                    yield response
        except StateError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except MalformedError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        finally:
            self._agents.depart(status)

    @property
    def _welcome(self) -> pb.Welcome:
        return pb.Welcome(store_id=self._store_id, version=__version__, takes_baselines=True)

    async def _serve(
        self, requests: AsyncIterator[pb.ReportRequest], status: pb.AgentStatus
    ) -> AsyncGenerator[pb.ReportResponse]:
        """Read in one task, so that what is to be sent goes out also while the agent says nothing."""
        outbox = Outbox()
        exchange = self._exchanges.join(status.hello.node, outbox) if status.hello.takes_baselines else None
        work: list[Coroutine[Any, Any, None]] = [self._read(requests, status, outbox, exchange)]
        if exchange is not None:
            work.append(exchange.run())
        tasks = [asyncio.create_task(_guarded(one, outbox)) for one in work]
        try:
            while (response := await outbox.take()) is not None:
                yield response
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if exchange is not None:
                self._exchanges.leave(exchange)

    async def _read(
        self,
        requests: AsyncIterator[pb.ReportRequest],
        status: pb.AgentStatus,
        outbox: Outbox,
        exchange: Exchange | None,
    ) -> None:
        async for request in requests:
            touch(status)
            kind = request.WhichOneof("message")
            if kind == "batch":
                if len(request.batch.deviations) > BATCH_DEVIATIONS:
                    raise MalformedError(f"over {BATCH_DEVIATIONS} in a batch")
                await outbox.answer(pb.ReportResponse(acknowledgement=await self._store(request.batch, status)))
            elif kind == "heartbeat":
                await self._keep(request.heartbeat, status)
            elif kind == "goodbye":
                status.stopped = True
                await self._writer.write([], [status])
            elif exchange is not None:
                exchange.take(request)
        outbox.end()

    async def _keep(self, heartbeat: pb.Heartbeat, status: pb.AgentStatus) -> None:
        self.figures["heartbeats"] += 1
        if heartbeat.ByteSize() > HEARTBEAT_BYTES:
            status.rejected += 1
            self.figures["rejected"] += 1
        else:
            self._sentinel.beat(status, heartbeat)
            status.heartbeat.CopyFrom(heartbeat)
        await self._writer.write([], [status])

    async def _store(self, batch: pb.Batch, status: pb.AgentStatus) -> pb.Acknowledgement:
        good, reason, begun = [], "", time.monotonic()
        for deviation in batch.deviations:
            understand(deviation)
            if wrong := fault(deviation, status.hello.node):
                reason = reason or wrong
            else:
                good.append(deviation)
        rejected = len(batch.deviations) - len(good)
        status.rejected += rejected
        self.figures["rejected"] += rejected
        self.figures["received"] += len(batch.deviations)
        await self._writer.write(good, [])
        self.acknowledged.observe(time.monotonic() - begun)
        return pb.Acknowledgement(sequence=batch.sequence, rejected=rejected, reason=reason)


async def _guarded(work: Coroutine[Any, Any, None], outbox: Outbox) -> None:
    """Let what goes wrong in ``work`` end the stream."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - raised again by the task that serves the stream
        outbox.end(error)
