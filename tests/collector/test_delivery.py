"""From an agent's sink to the store: everything, once, in order, whatever happens on the way."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collector.rig import PATIENCE, CollectorProcess, listing, replay, sink, until
from driftline.errors import CollectorError, SettingsError
from driftline.nouns import Deviation, Loss
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.wire.client import CollectorClient
from driftline.wire.convert import deviation_from_wire, deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import sqlite_file
from driftline_collector.server import Collector
from rig import ports
from unit.wire import samples


def ids(stored: list[pb.StoredDeviation]) -> list[str]:
    return [item.deviation.id for item in stored]


def test_everything_arrives_once_whole_and_in_order(collector: str) -> None:
    sent = [samples.deviation(what=f"/tmp/{i}{samples.HOSTILE}") for i in range(2003)]
    agent = sink(collector)
    for deviation in sent:
        agent.submit(deviation)
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert [deviation_from_wire(item.deviation) for item in replay(collector)] == sent
    assert ids(listing(collector)) == [deviation.id for deviation in reversed(sent)]


def test_repeats_update_the_stored_deviation(collector: str) -> None:
    agent, first = sink(collector), samples.deviation()
    for count in (1, 2, 7):
        agent.submit(replace(first, count=count))
        time.sleep(0.05)
    agent.stop(PATIENCE)
    assert [item.deviation.count for item in listing(collector)] == [7]


def test_a_digest_found_out_later_is_added_and_never_taken_away(collector: str) -> None:
    agent, first, digest = sink(collector), samples.deviation(), "cd" * 32
    for update in (replace(first, sha256=""), replace(first, sha256=digest), replace(first, sha256="", count=3)):
        agent.submit(update)
        time.sleep(0.05)
    agent.stop(PATIENCE)
    assert [(item.deviation.sha256, item.deviation.count) for item in listing(collector)] == [(digest, 3)]


def test_an_agent_that_starts_before_the_collector_waits_for_it(tmp_path: Path) -> None:
    address = f"127.0.0.1:{ports.free()}"
    agent, deviation = sink(address), samples.deviation()
    agent.submit(deviation)
    time.sleep(0.3)
    assert not agent.connected
    late = Collector(tmp_path, listen=address)
    late.start()
    until(lambda: ids(listing(address)) == [deviation.id])
    agent.stop(PATIENCE)
    late.stop()
    assert agent.losses() == []


def test_what_is_left_when_the_agent_ends_is_counted() -> None:
    address = f"127.0.0.1:{ports.free()}"
    agent = sink(address)
    for _ in range(5):
        agent.submit(samples.deviation())
    begun = time.monotonic()
    agent.stop(0.2)
    assert time.monotonic() - begun < PATIENCE / 2  # of an agent that waits for a collector that is away
    assert agent.losses() == [Loss("report", "not_delivered", 5)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_lost_or_doubled_when_the_collector_dies_again_and_again(
    process: CollectorProcess, number: signal.Signals
) -> None:
    agent = sink(process.start())
    sent = []
    for _ in range(3):
        for _ in range(401):
            sent.append(samples.deviation())
            agent.submit(sent[-1])
            time.sleep(0.0005)
        process.end(number)
        process.start()
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert ids(replay(process.address)) == [deviation.id for deviation in sent]


def requests(*messages: pb.ReportRequest) -> Iterator[pb.ReportRequest]:
    yield from messages


def hello(node: str = "node-a") -> pb.ReportRequest:
    return pb.ReportRequest(hello=pb.Hello(node=node))


def batch(sequence: int, *deviations: Deviation) -> pb.ReportRequest:
    return pb.ReportRequest(batch=pb.Batch(sequence=sequence, deviations=map(deviation_to_wire, deviations)))


def test_what_was_acknowledged_survives_kill_9_at_that_moment(process: CollectorProcess) -> None:
    client = CollectorClient(process.start())
    batches = [batch(i, samples.deviation(), samples.deviation()) for i in range(1, 200)]
    acknowledged = 0
    with contextlib.suppress(CollectorError):
        for response in client.report(requests(hello(), *batches)):
            acknowledged = max(acknowledged, response.acknowledgement.sequence)
            if acknowledged == 50:
                process.end(signal.SIGKILL)
    client.close()
    stored = set(ids(replay(process.start())))
    promised = {deviation.id for request in batches[:acknowledged] for deviation in request.batch.deviations}
    assert acknowledged >= 50
    assert promised <= stored


def test_acknowledgements_follow_each_batch_in_order(collector: str) -> None:
    client = CollectorClient(collector)
    sent = [batch(i, samples.deviation()) for i in range(1, 12)]
    responses = list(client.report(requests(hello(), *sent)))
    client.close()
    assert responses[0].welcome.store_id
    assert [response.acknowledgement.sequence for response in responses[1:]] == list(range(1, 12))


def test_a_batch_sent_again_is_acknowledged_and_not_doubled(collector: str) -> None:
    client = CollectorClient(collector)
    once = batch(1, samples.deviation())
    responses = list(client.report(requests(hello(), once, once)))
    client.close()
    assert len(responses) == 3
    assert len(listing(collector)) == 1


def test_malformed_ones_are_rejected_and_the_rest_is_stored(collector: str) -> None:
    agent, good = sink(collector), samples.deviation()
    agent.submit(samples.deviation(id="no uuid"))
    agent.submit(good)
    agent.submit(samples.deviation(node="node-b"))
    until(lambda: ids(listing(collector)) == [good.id])
    agent.stop(PATIENCE)
    assert agent.losses() == [Loss("report", "rejected", 2)]
    client = CollectorClient(collector)
    assert client.list_agents().agents[0].rejected == 2
    client.close()


@pytest.mark.parametrize("first", [hello(""), hello("n" * 1100), batch(1)])
def test_a_stream_begins_with_a_hello(collector: str, first: pb.ReportRequest) -> None:
    client = CollectorClient(collector)
    with pytest.raises(SettingsError, match="hello with a node name"):
        list(client.report(requests(first)))
    client.close()


def test_heartbeats_are_kept_with_the_agent_even_over_a_restart(process: CollectorProcess) -> None:
    identity = AgentIdentity("node-a", abi=3, boot_id="boot", hook_providers={"open": "lsm"})
    agent = StreamSink(process.start(), identity, 100)
    agent.start()
    agent.heartbeat([Loss("open", "ring_full", 12, cgroup=4)], {"events.exec": 7})
    client = CollectorClient(process.address)
    until(lambda: any(status.heartbeat.losses for status in client.list_agents().agents))
    (status,) = client.list_agents().agents
    client.close()
    assert status.connected
    assert (status.hello.node, status.hello.abi, status.hello.boot_id) == ("node-a", 3, "boot")
    agent.stop(PATIENCE)
    process.end()
    client = CollectorClient(process.start())
    (status,) = client.list_agents().agents
    client.close()
    assert not status.connected
    assert dict(status.heartbeat.counters) == {"events.exec": 7}
    assert dict(status.heartbeat.hook_providers) == {"open": "lsm"}
    assert [(loss.hook, loss.cause, loss.count, loss.cgroup) for loss in status.heartbeat.losses] == [
        ("open", "ring_full", 12, 4)
    ]
    assert status.heartbeat.queue.capacity == 100


def test_an_oversized_heartbeat_is_counted_and_not_kept(collector: str) -> None:
    client = CollectorClient(collector)
    oversized = pb.ReportRequest(heartbeat=pb.Heartbeat(counters={f"counter.{i}": i for i in range(30_000)}))
    list(client.report(requests(hello(), oversized)))
    (status,) = client.list_agents().agents
    client.close()
    assert (status.rejected, len(status.heartbeat.counters)) == (1, 0)


def test_an_agent_that_goes_away_is_shown_as_gone(collector: str) -> None:
    agent = sink(collector)
    client = CollectorClient(collector)
    until(lambda: [status.connected for status in client.list_agents().agents] == [True])
    agent.stop(PATIENCE)
    until(lambda: [status.connected for status in client.list_agents().agents] == [False])
    client.close()


def test_nothing_is_acknowledged_while_the_store_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup holding the database's lock stands for a full disk: the agent waits, then delivers."""
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.5)
    running = Collector(tmp_path)
    agent, deviation = sink(running.start()), samples.deviation()
    until(lambda: agent.connected)
    with sqlite3.connect(tmp_path / "collector.db") as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        agent.submit(deviation)
        time.sleep(1.5)  # longer than that
        assert listing(running.address) == []
    blocker.close()
    until(lambda: ids(listing(running.address)) == [deviation.id])
    agent.stop(PATIENCE)
    running.stop()
    assert agent.losses() == []
