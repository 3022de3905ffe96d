"""The collector, put together.

In: addresses, certificates, a state directory. Out: a running server, started and stopped in order. Why one event
loop: an agent costs a stream, not a thread. ``run`` serves until a signal; ``Collector`` is for those who start it in
their own process (tests, the demo). Next: ``driftline collector``.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from driftline.errors import SettingsError, StateError
from driftline.scheduling import prefer_short_slices
from driftline.text import escape
from driftline.wire import service
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.access import Access
from driftline_collector.access_guard import Guard
from driftline_collector.access_ports import PLAINTEXT, Ports, Security
from driftline_collector.agents import Agents
from driftline_collector.checkpoint import Checkpointer
from driftline_collector.feed import Feed
from driftline_collector.follow import Follow
from driftline_collector.ingest import Ingest
from driftline_collector.listing import Listing
from driftline_collector.reader import Reader
from driftline_collector.store import Store
from driftline_collector.tokens import Tokens
from driftline_collector.writer import Writer

CALLS = 4096
"""Calls at the same time, agents and followers together: beyond it a call is refused, and tried again later."""

STOP_SECONDS = 0.5
"""What running calls are given to end by themselves: followers and agents never do, and come back on their own."""

EMBEDDED_SECONDS = 10.0
"""How long an embedded collector may take to start or to stop."""

_OPTIONS = (
    ("grpc.max_receive_message_length", service.MESSAGE_BYTES),
    ("grpc.max_send_message_length", service.MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", service.KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", service.KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.min_ping_interval_without_data_ms", service.KEEPALIVE_MS // 2),
    ("grpc.so_reuseport", 0),  # a second collector on the port must fail, not take half of the agents
)


class Listening(NamedTuple):
    """Where a collector listens: for certificates or plain text, for tokens (or empty); and what is wrong with that."""

    address: str
    token_address: str
    encrypted: bool
    warnings: list[str]

    def __str__(self) -> str:
        """Return it as a person reads it."""
        tokens = f" and for tokens on {self.token_address}" if self.token_address else ""
        return f"{self.address}{' (mTLS)' if self.encrypted else ''}{tokens}"


class Server:
    """One collector in the running event loop. Raises SettingsError or StateError if it cannot start."""

    def __init__(self, listen: str, state: Path, security: Security = PLAINTEXT) -> None:
        self._ports = Ports(listen, security)
        self._access = Access(Tokens(state))
        self._guard = Guard(self._access)
        self._store = Store(state)
        self._feed = Feed(self._store.revision)
        self._reader = Reader(self._store)
        self._writer = Writer(self._store, self._feed.publish)
        self._checkpointer = Checkpointer(self._store)
        self._server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=CALLS, interceptors=(self._guard,))
        self._register(Agents(self._store.agents()))

    def _register(self, agents: Agents) -> None:
        ingest = Ingest(self._writer, agents, self._store.store_id)
        follow = Follow(self._reader, self._feed, self._store.store_id)
        listing = Listing(self._reader, self._feed, agents, self._ports.warnings, self._counters)
        handlers = {
            "Report": _handler(grpc.stream_stream_rpc_method_handler, ingest.report, pb.ReportRequest),
            "Tail": _handler(grpc.unary_stream_rpc_method_handler, follow.tail, pb.TailRequest),
            "ListDeviations": _handler(
                grpc.unary_unary_rpc_method_handler, listing.list_deviations, pb.ListDeviationsRequest
            ),
            "ListAgents": _handler(grpc.unary_unary_rpc_method_handler, listing.list_agents, pb.ListAgentsRequest),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.SERVICE, handlers),))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (service.SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )

    def _counters(self) -> dict[str, int]:
        return {**self._access.counters(), "access.handshakes": self._ports.handshakes}

    async def start(self) -> Listening:
        """Listen; return where, with the real ports."""
        try:
            address, token_address = self._ports.bind(self._server)
        except SettingsError:
            await self._close()
            raise
        self._guard.start()
        self._writer.start()
        self._checkpointer.start()
        await self._server.start()
        for name in ("", service.SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return Listening(address, token_address, self._ports.encrypted, self._ports.warnings)

    async def wait(self, stopping: asyncio.Event) -> None:
        """Return when ``stopping`` is set. Raises what killed the writer, if anything did."""
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait((stopped, self._writer.died), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self._writer.died.done():
            self._writer.died.result()

    async def stop(self) -> None:
        """Refuse new calls, end the running ones, commit what waits, close the store."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(STOP_SECONDS)
        await self._guard.stop()
        await self._writer.stop()
        await self._close()

    async def _close(self) -> None:
        self._reader.close()
        self._checkpointer.stop()
        self._store.close()


async def serve(server: Server, started: Callable[[Listening], None], stopping: asyncio.Event) -> None:
    """Run ``server`` until ``stopping``; ``started`` is called with its addresses once it listens."""
    started(await server.start())
    try:
        await server.wait(stopping)
    finally:
        await server.stop()


def run(listen: str, state: Path, security: Security = PLAINTEXT) -> None:
    """Run a collector until SIGTERM or SIGINT. Raises SettingsError or StateError if it cannot start."""

    def started(listening: Listening) -> None:
        gc.collect()
        gc.freeze()  # what was imported stays for ever: looking through it again would pause the stream by 30 ms
        for sentence in (f"listening on {listening}, state {escape(str(state))}", *listening.warnings):
            print(f"driftline collector: {sentence}", file=sys.stderr, flush=True)

    async def main() -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        await serve(Server(listen, state, security), started, stopping)

    prefer_short_slices()
    asyncio.run(main())


class Collector:
    """A collector in a thread of this process: the addresses are valid between ``start`` and ``stop``."""

    def __init__(self, state: Path, listen: str = "127.0.0.1:0", security: Security = PLAINTEXT) -> None:
        self._state = state
        self._listen = listen
        self._security = security
        self._thread = threading.Thread(target=self._run, name="driftline-collector")
        self._started = threading.Event()
        self._stopping: Callable[[], object] = lambda: None
        self._error: BaseException | None = None
        self.address = self.token_address = ""

    def start(self) -> str:
        """Start and return the address. Raises SettingsError or StateError if it cannot start."""
        self._thread.start()
        if not self._started.wait(EMBEDDED_SECONDS):
            raise StateError(f"the collector did not start within {EMBEDDED_SECONDS:.0f} s")
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self.address

    def stop(self) -> None:
        """Stop in order. Raises what ended it before, if anything did."""
        self._stopping()
        self._thread.join(EMBEDDED_SECONDS)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - handed to whoever started or stops us
            self._error = error
        finally:
            self._started.set()

    async def _main(self) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        self._stopping = lambda: None if loop.is_closed() else loop.call_soon_threadsafe(stopping.set)

        def started(listening: Listening) -> None:
            self.address, self.token_address = listening.address, listening.token_address
            self._started.set()

        await serve(Server(self._listen, self._state, self._security), started, stopping)


def _handler(kind: Callable[..., Any], method: Any, request: Any) -> Any:
    return kind(method, request_deserializer=request.FromString, response_serializer=lambda m: m.SerializeToString())
