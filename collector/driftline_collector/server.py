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
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from driftline.errors import SettingsError, StateError
from driftline.scheduling import prefer_short_slices
from driftline.text import escape
from driftline.wire import service
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.responder import Responder
from driftline_collector.access import Access
from driftline_collector.access_guard import Guard
from driftline_collector.access_ports import PLAINTEXT, Ports, Security
from driftline_collector.baselines import Baselines
from driftline_collector.decisions import Decisions
from driftline_collector.exchanges import Exchanges
from driftline_collector.follow import Follow
from driftline_collector.ingest import Ingest
from driftline_collector.listing import Listing
from driftline_collector.sentinel import Sentinel, Watching
from driftline_collector.silences import Silences
from driftline_collector.storage import Keeping, Storage
from driftline_collector.tokens import Tokens
from driftline_collector.vitals import Vitals

if TYPE_CHECKING:  # most collectors have no outputs, and need not load what those need
    from driftline_collector.outputs.config import OutputsFile
    from driftline_collector.outputs.manager import Outputs

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
    ("grpc.http2.ping_timeout_ms", service.KEEPALIVE_TIMEOUT_MS),  # newer gRPC waits for this one: a minute unless told
    ("grpc.http2.min_ping_interval_without_data_ms", service.KEEPALIVE_MS // 2),
    ("grpc.so_reuseport", 0),  # a second collector on the port must fail, not take half of the agents
)


class Looking(NamedTuple):
    """Where health and metrics are shown (HOST:PORT, empty: nowhere), and what is told of agents."""

    http: str = ""
    watching: Watching = Watching()


class Listening(NamedTuple):
    """Where a collector listens: for certificates or plain text, for tokens (or empty), for probes (or empty); and what
    is wrong with that."""

    address: str
    token_address: str
    http_address: str
    encrypted: bool
    warnings: list[str]

    def __str__(self) -> str:
        """Return it as a person reads it."""
        tokens = f" and for tokens on {self.token_address}" if self.token_address else ""
        return f"{self.address}{' (mTLS)' if self.encrypted else ''}{tokens}"


class Server:
    """One collector in the running event loop. Raises SettingsError or StateError if it cannot start."""

    def __init__(
        self,
        listen: str,
        state: Path,
        security: Security = PLAINTEXT,
        outputs: OutputsFile | None = None,
        keeping: Keeping = Keeping(),  # noqa: B008 - immutable
        looking: Looking = Looking(),  # noqa: B008 - immutable
    ) -> None:
        self._ports = Ports(listen, security)
        self._looking = looking
        self._responder: Responder | None = None
        self._responder_trouble = ""
        self._access = Access(Tokens(state))
        self._guard = Guard(self._access)
        self._outputs: Outputs | None = None
        self._storage = Storage(state, keeping, self._advanced, self._removed)
        storage = self._storage
        self._silences = Silences(storage.reader, storage.writer, storage.store.shared)
        parts = storage.reader, storage.writer, storage.agents, storage.store.shared
        self._sentinel = Sentinel(*parts, looking.watching)
        self._exchanges = Exchanges(storage)
        storage.looked = self._exchanges.fleet.look
        self._tasks: list[asyncio.Future[None]] = []
        self._outputs = self._make_outputs(outputs, state)
        self._server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=CALLS, interceptors=(self._guard,))
        self._register()

    def _make_outputs(self, outputs: OutputsFile | None, state: Path) -> Outputs | None:
        if outputs is None:
            return None
        from driftline_collector.outputs.manager import Outputs
        from driftline_collector.outputs.runner import Source

        try:
            store, feed = self._storage.store, self._storage.feed
            hides = self._silences.hiding
            reading = store.newest, store.forward
            source = Source(store.store_id, lambda: feed.revision, *reading, lambda one: bool(hides(one)))
            return Outputs(outputs, source, state, self._storage.leases())
        except BaseException:
            self._storage.store.close()
            raise

    def _advanced(self) -> None:
        if self._outputs:
            self._outputs.wake()

    def _removed(self, places: list[tuple[int, int]]) -> None:
        if self._outputs:
            self._outputs.removed(places)

    def reopen_outputs(self) -> None:
        """Let outputs to files use the file that is behind its name now."""
        if self._outputs:
            self._outputs.reopen()

    def _register(self) -> None:
        storage, store_id = self._storage, self._storage.store.store_id
        ingest = Ingest(storage.writer, storage.agents, self._sentinel, store_id, self._exchanges)
        follow = Follow(storage.reader, storage.feed, self._silences, store_id)
        listing = Listing(storage, lambda: self._warnings, self._counters)
        decisions = Decisions(self._silences, self._sentinel)
        self._vitals = Vitals(storage, ingest, self._silences, self._sentinel, self._counters)
        storage.noting += [self._silences.note, self._vitals.note]
        baselines = Baselines(storage, self._exchanges)
        unary, incoming = grpc.unary_unary_rpc_method_handler, grpc.stream_unary_rpc_method_handler
        outgoing = grpc.unary_stream_rpc_method_handler
        handlers = {
            "Report": _handler(grpc.stream_stream_rpc_method_handler, ingest.report, pb.ReportRequest),
            "Tail": _handler(outgoing, follow.tail, pb.TailRequest),
            "ListDeviations": _handler(unary, listing.list_deviations, pb.ListDeviationsRequest),
            "ListAgents": _handler(unary, listing.list_agents, pb.ListAgentsRequest),
            "ForgetAgent": _handler(unary, decisions.forget_agent, pb.ForgetAgentRequest),
            "AddSilence": _handler(unary, decisions.add_silence, pb.AddSilenceRequest),
            "ListSilences": _handler(unary, decisions.list_silences, pb.ListSilencesRequest),
            "EndSilence": _handler(unary, decisions.end_silence, pb.EndSilenceRequest),
            "ListBaselines": _handler(unary, baselines.list_baselines, pb.ListBaselinesRequest),
            "GetBaseline": _handler(unary, baselines.get_baseline, pb.GetBaselineRequest),
            "FetchBaseline": _handler(outgoing, baselines.fetch_baseline, pb.FetchBaselineRequest),
            "PublishBaseline": _handler(incoming, baselines.publish_baseline, pb.PublishBaselineRequest),
            "RevokeBaseline": _handler(unary, baselines.revoke_baseline, pb.RevokeBaselineRequest),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.SERVICE, handlers),))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (service.SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )

    def _counters(self) -> dict[str, int]:
        counters = {
            **self._storage.counters(),
            **self._exchanges.counters(),
            **self._access.counters(),
            "access.handshakes": self._ports.handshakes,
        }
        return {**counters, **(self._outputs.counters() if self._outputs else {})}

    @property
    def _warnings(self) -> list[str]:
        trouble = [self._responder_trouble] if self._responder_trouble else []
        outputs = self._outputs.warnings if self._outputs else []
        return [*self._ports.warnings, *self._storage.warnings, *outputs, *trouble]

    async def start(self) -> Listening:
        """Listen; return where, with the real ports."""
        try:
            address, token_address = self._ports.bind(self._server)
        except SettingsError:
            if self._outputs:
                self._outputs.discard()
            await self._close()
            raise
        self._guard.start()
        self._storage.start()
        await self._silences.begin()
        await self._exchanges.begin()
        self._tasks = [asyncio.ensure_future(one.run()) for one in (self._silences, self._sentinel, self._exchanges)]
        self._show()
        if self._outputs:
            self._outputs.start()
        await self._server.start()
        for name in ("", service.SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._vitals.serving = True
        http = self._responder.address if self._responder else ""
        return Listening(address, token_address, http, self._ports.encrypted, self._warnings)

    def _show(self) -> None:
        """Show health and metrics; a port that is taken is no reason not to take deviations."""
        if not self._looking.http:
            return
        try:
            self._responder = Responder(self._looking.http, self._vitals.answer)
        except SettingsError as error:
            self._responder_trouble = str(error.args[0])
        else:
            self._responder.start()

    @property
    def _ends(self) -> list[asyncio.Future[Any]]:
        return [*self._storage.ends, *self._tasks]

    async def wait(self, stopping: asyncio.Event) -> None:
        """Return when ``stopping`` is set. Raises what killed the writer or another part, if anything did."""
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait((stopped, *self._ends), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for end in self._ends:
            if end.done():
                end.result()

    async def stop(self) -> None:
        """Refuse new calls, end the running ones, commit what waits, close the store."""
        self._vitals.serving = False
        await self._health.enter_graceful_shutdown()
        await self._server.stop(STOP_SECONDS)
        await self._guard.stop()
        if self._responder:
            await asyncio.to_thread(self._responder.stop)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._storage.stop()
        if self._outputs:
            await asyncio.to_thread(self._outputs.stop)
        await self._close()

    async def _close(self) -> None:
        await self._storage.close()


async def serve(server: Server, started: Callable[[Listening], None], stopping: asyncio.Event) -> None:
    """Run ``server`` until ``stopping``; ``started`` is called with its addresses once it listens."""
    started(await server.start())
    try:
        await server.wait(stopping)
    finally:
        await server.stop()


def run(
    listen: str,
    state: Path,
    security: Security = PLAINTEXT,
    outputs: OutputsFile | None = None,
    keeping: Keeping = Keeping(),  # noqa: B008 - immutable
    looking: Looking = Looking(),  # noqa: B008 - immutable
) -> None:
    """Run a collector until SIGTERM or SIGINT. Raises SettingsError or StateError if it cannot start."""

    def started(listening: Listening) -> None:
        gc.collect()
        gc.freeze()  # what was imported stays for ever: looking through it again would pause the stream by 30 ms
        pages = f", health and metrics on http://{listening.http_address}" if listening.http_address else ""
        for sentence in (f"listening on {listening}, {_place(state, keeping)}{pages}", *listening.warnings):
            print(f"driftline collector: {sentence}", file=sys.stderr, flush=True)

    async def main() -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        server = Server(listen, state, security, outputs, keeping, looking)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, server.reopen_outputs)
        await serve(server, started, stopping)

    prefer_short_slices()
    asyncio.run(main())


class Collector:
    """A collector in a thread of this process: the addresses are valid between ``start`` and ``stop``."""

    def __init__(
        self,
        state: Path,
        listen: str = "127.0.0.1:0",
        security: Security = PLAINTEXT,
        outputs: OutputsFile | None = None,
        keeping: Keeping = Keeping(),  # noqa: B008 - immutable
        looking: Looking = Looking(),  # noqa: B008 - immutable
    ) -> None:
        self._state = state
        self._listen = listen
        self._security = security
        self._outputs = outputs
        self._keeping = keeping
        self._looking = looking
        self._thread = threading.Thread(target=self._run, name="driftline-collector")
        self._started = threading.Event()
        self._stopping: Callable[[], object] = lambda: None
        self._error: BaseException | None = None
        self.address = self.token_address = self.http_address = ""

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
            self.http_address = listening.http_address
            self._started.set()

        server = Server(self._listen, self._state, self._security, self._outputs, self._keeping, self._looking)
        await serve(server, started, stopping)


def _place(state: Path, keeping: Keeping) -> str:
    store = f", store {keeping.store.name}" if keeping.store else ""
    return f"state {escape(str(state))}{store}"


def _handler(kind: Callable[..., Any], method: Any, request: Any) -> Any:
    return kind(method, request_deserializer=request.FromString, response_serializer=lambda m: m.SerializeToString())
