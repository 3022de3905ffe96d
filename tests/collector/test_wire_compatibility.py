"""Recorded bytes of version 1 (tests/data/wire-v1): agents and collectors of any two versions understand each other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from collector import wire_v1
from collector.rig import PATIENCE, listing, sink, until
from collector.wire_v1 import present, recorded
from driftline.cli.tail import Printer
from driftline.errors import RecordError
from driftline.nouns import Deviation, Loss, Origin, Severity
from driftline.report.exchange import Exchange, Upload
from driftline.report.incoming import Incoming
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.wire import service
from driftline.wire.client import CollectorClient
from driftline.wire.convert import deviation_from_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from unit.wire import samples


def say(address: str, requests: list[bytes]) -> list[pb.ReportResponse]:
    """Send bytes to a collector as an agent would; return its answers."""
    with grpc.insecure_channel(address) as channel:
        report = channel.stream_stream(service.REPORT, bytes, pb.ReportResponse.FromString)
        return list(report(iter(requests), timeout=PATIENCE))


def stored(address: str) -> dict[str, pb.StoredDeviation]:
    return {one.deviation.id: one for one in listing(address)}


def test_every_message_is_recorded() -> None:
    """One that is new is recorded with ``PYTHONPATH=tests python -m collector.wire_v1``."""
    assert {path.stem for path in wire_v1.DIRECTORY.iterdir()} == wire_v1.messages().keys()


@pytest.mark.parametrize("name", sorted(wire_v1.messages()))
def test_recorded_bytes_still_mean_the_same(name: str) -> None:
    expected = wire_v1.messages()[name]
    assert type(expected).FromString(wire_v1.one(name)) == expected


def test_an_agent_of_version_1(collector: str) -> None:
    welcome, acknowledged = say(collector, recorded("request"))
    assert welcome.welcome.store_id
    assert (acknowledged.acknowledgement.sequence, acknowledged.acknowledgement.rejected) == (1, 0)
    read = {name: deviation_from_wire(one.deviation) for name, one in stored(collector).items()}
    assert read == {wire_v1.identity(n): present(n) for n in (1, 2)}
    client = CollectorClient(collector)
    (status,) = client.list_agents().agents
    client.close()
    assert (status.hello.node, status.stopped, dict(status.heartbeat.counters)) == (
        wire_v1.NODE,
        True,
        {"events.exec": 7},
    )


def test_an_agent_that_knows_less(collector: str) -> None:
    _welcome, acknowledged = say(collector, recorded("early-request"))
    assert acknowledged.acknowledgement.rejected == 0
    (one,) = stored(collector).values()
    read = deviation_from_wire(one.deviation)
    assert (read.id, read.severity, read.process, read.file) == (wire_v1.identity(5), Severity.LOW, None, None)


def test_an_agent_that_knows_more(collector: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its kinds and severities are stored and shown, its unknown messages passed over."""
    _welcome, acknowledged = say(collector, recorded("future-request"))
    assert acknowledged.acknowledgement.rejected == 0
    found = stored(collector)
    assert found.keys() == {wire_v1.identity(3), wire_v1.identity(4)}
    read = deviation_from_wire(found[wire_v1.identity(3)].deviation)
    assert (read.severity, read.file and read.file.origin) == (Severity.CRITICAL, Origin.UNKNOWN)
    assert read.notes[-1] == "severity 9 is newer than this collector"
    client = CollectorClient(collector)
    printer = Printer(json=False, verbose=True)
    for response in client.tail(pb.TailRequest(replay=True)):
        printer.show(response)
    client.close()
    shown = capsys.readouterr()
    assert "CRITICAL" in shown.out
    assert "'quantum.tunnel' is not a valid Kind" in shown.err
    assert "/tmp/x" in shown.err, "what happened is told all the same"


class Answering:
    """A collector that answers with recorded bytes: the first to the hello, the last to each batch."""

    def __init__(self, responses: list[bytes]) -> None:
        self._responses = responses
        self._pool = ThreadPoolExecutor(4)
        self._server = grpc.server(self._pool)
        handler = grpc.stream_stream_rpc_method_handler(self._report, pb.ReportRequest.FromString, bytes)
        generic = grpc.method_handlers_generic_handler(service.SERVICE, {"Report": handler})
        self._server.add_generic_rpc_handlers((generic,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self.taken: list[str] = []
        self.heard: list[str | None] = []
        self._server.start()

    def _report(self, requests: Iterator[pb.ReportRequest], _context: object) -> Iterator[bytes]:
        for request in requests:
            self.heard.append(request.WhichOneof("message"))
            if request.HasField("hello"):
                yield from self._responses[:-1]
            if request.HasField("batch"):
                self.taken += [one.id for one in request.batch.deviations]
                yield self._responses[-1]

    def stop(self) -> None:
        self._server.stop(0).wait(PATIENCE)
        self._pool.shutdown()


@pytest.mark.parametrize(("prefix", "rejected"), [("response", 1), ("early-response", 0), ("future-response", 1)])
def test_an_agent_understands_collectors_of_all_versions(prefix: str, rejected: int) -> None:
    answering = Answering(recorded(prefix))
    try:
        agent, deviation = sink(answering.address, wire_v1.NODE), samples.deviation()
        until(lambda: agent.connected)
        agent.submit(deviation)
        until(lambda: sum(agent.figures().acknowledged.counts))
        agent.stop(PATIENCE)
        assert answering.taken == [deviation.id]
        assert agent.losses() == ([Loss("report", "rejected", rejected)] if rejected else [])
    finally:
        answering.stop()


def with_baselines(address: str, state: Path) -> tuple[StreamSink, Exchange]:
    """Return a started sink of an agent that exchanges baselines, and uses one."""
    exchange = Exchange(Incoming(str(state)))
    listed = recorded("baselines-request")[1]
    exchange.offer(pb.ReportRequest.FromString(listed).baselines_in_use)
    agent = StreamSink(address, AgentIdentity(node=wire_v1.NODE), 100, exchange=exchange)
    agent.start()
    return agent, exchange


@pytest.mark.parametrize("prefix", ["response", "early-response", "future-response"])
def test_a_collector_that_takes_no_baselines_hears_nothing_of_them(prefix: str, tmp_path: Path) -> None:
    answering = Answering(recorded(prefix))
    try:
        agent, _exchange = with_baselines(answering.address, tmp_path)
        until(lambda: agent.connected)
        agent.submit(samples.deviation())
        until(lambda: sum(agent.figures().acknowledged.counts))
        agent.stop(PATIENCE)
        until(lambda: len(answering.heard) >= 3)
        assert answering.heard == ["hello", "batch", "goodbye"]
    finally:
        answering.stop()


def test_a_collector_that_takes_baselines_is_understood(tmp_path: Path) -> None:
    answering = Answering(recorded("baselines-response"))
    try:
        agent, exchange = with_baselines(answering.address, tmp_path)
        until(lambda: "baselines_in_use" in answering.heard)
        tasks: list[object] = []
        for _ in range(3):
            tasks.append(task := exchange.task(PATIENCE))
            if isinstance(task, Upload):
                exchange.uploaded(task, b"never read here")
        until(lambda: "baseline_part" in answering.heard)
        agent.stop(PATIENCE)
        kinds = sorted("revocation" if getattr(one, "revocation", None) else type(one).__name__ for one in tasks)
        assert kinds == ["Receive", "Upload", "revocation"]
    finally:
        answering.stop()


def test_an_agent_that_exchanges_no_baselines_passes_over_what_is_said_of_them() -> None:
    answering = Answering(recorded("baselines-response"))
    try:
        agent, deviation = sink(answering.address, wire_v1.NODE), samples.deviation()
        until(lambda: agent.connected)
        agent.submit(deviation)
        until(lambda: sum(agent.figures().acknowledged.counts))
        agent.stop(PATIENCE)
        until(lambda: len(answering.heard) >= 3)
        assert answering.heard == ["hello", "batch", "goodbye"]
    finally:
        answering.stop()


@pytest.mark.parametrize("name", ["tail-response", "early-tail-response", "future-tail-response"])
def test_a_tail_understands_collectors_of_all_versions(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    response = pb.TailResponse.FromString(wire_v1.one(name))
    for json in (False, True):
        Printer(json, verbose=True).show(response)
    readable = list[Deviation]()
    for item in response.deviations:
        try:
            readable.append(deviation_from_wire(item.deviation))
        except RecordError:
            assert item.deviation.kind == "quantum.tunnel"
    assert readable
    shown = capsys.readouterr().out
    assert all(one.id in shown for one in readable)


def test_a_list_of_agents_of_a_newer_collector_is_read() -> None:
    listed = pb.ListAgentsResponse.FromString(wire_v1.one("future-list-agents-response"))
    assert [status.hello.node for status in listed.agents] == [wire_v1.NODE]
