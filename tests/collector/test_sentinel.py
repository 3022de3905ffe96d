"""A silent or degraded agent leaves a deviation behind, once, and it is resolved; nobody cries without reason."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from collector.cluster import Cluster, stop_all
from collector.rig import DRIFTLINE, PATIENCE, CollectorProcess, listing, sink, until
from driftline.errors import SettingsError
from driftline.nouns import Loss
from driftline.report.stream import StreamSink
from driftline.wire import uplink
from driftline.wire.backoff import Backoff
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector import agents as agents_module
from driftline_collector import sentinel, symptoms
from driftline_collector.sentinel import Watching
from driftline_collector.server import Collector, Looking
from driftline_collector.storage import Keeping
from driftline_collector.store_address import parse_store
from rig import ports

SILENT_SECONDS = 1.0
SILENT = Looking("", Watching(silent_after=SILENT_SECONDS, degraded_losses=100))
SILENT_TO_ALL = Looking("", Watching(silent_after=3.0, degraded_losses=100))
"""A heartbeat reaches other replicas by the database, whose disk may be busy for a second or two."""
QUIET_SECONDS = 2.0
"""Longer than it takes to be told silent: what has not come by then does not come."""
STOPPED_FACTOR = 3

AGENT = """
import sys, time
sys.path[:0] = {path!r}
from collector.rig import sink
agent = sink({address!r}, "node-a")
while True:
    agent.heartbeat([], {{}})
    print("beat", flush=True)
    time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentinel, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(sentinel, "REFRESH_SECONDS", 0.1)
    monkeypatch.setattr(sentinel, "STOPPED_FACTOR", STOPPED_FACTOR)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[str]:
    running = Collector(tmp_path / "state", looking=SILENT)
    yield running.start()
    running.stop()


def told(address: str, kind: str = "agent") -> list[deviation_pb2.Deviation]:
    return [stored.deviation for stored in listing(address, kinds=[kind])]


def troubles(address: str) -> list[str]:
    client = CollectorClient(address)
    try:
        return [trouble for status in client.list_agents().agents for trouble in status.troubles]
    finally:
        client.close()


def kill(agent: StreamSink) -> None:
    """End an agent's connection as a SIGKILL does: nothing more is said."""
    agent._backlog._parted = True  # it has no time for goodbyes
    agent._uplink._stop.set()
    assert agent._uplink._call is not None
    agent._uplink._call.cancel()
    agent.stop(0.1)


def connected(agent: StreamSink) -> None:
    until(lambda: agent.connected)
    agent.heartbeat([], {})


@contextlib.contextmanager
def beating(agent: StreamSink) -> Iterator[None]:
    """Let ``agent`` beat, however long it takes to look meanwhile what was told."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.02):
            agent.heartbeat([], {})

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_killed_agent_leaves_one_deviation_and_its_return_resolves_it(watched: str, tmp_path: Path) -> None:
    code = AGENT.format(
        path=[path for path in sys.path if path.endswith(("agent", "collector", "tests"))], address=watched
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
    finally:
        process.kill()
        process.communicate()
    until(lambda: told(watched))
    time.sleep(QUIET_SECONDS)
    (one,) = told(watched)
    assert (one.kind, one.severity, one.node, one.count) == ("agent.silent", deviation_pb2.SEVERITY_HIGH, "node-a", 1)
    assert "nothing was heard from it" in one.sentence
    assert troubles(watched) == ["agent.silent"]
    agent = sink(watched)
    with beating(agent):
        until(lambda: told(watched)[0].count == 2)
        (again,) = told(watched)
        assert (again.id, again.notes[-1].partition(" after")[0]) == (one.id, "resolved: heard again")
        until(lambda: troubles(watched) == [])
    kill(agent)
    until(lambda: len(told(watched)) == 2)  # the next silence is another episode


def test_one_that_stopped_in_order_is_told_apart(watched: str) -> None:
    agent = sink(watched)
    with beating(agent):
        until(lambda: agent.connected)
    begun = time.monotonic()
    agent.stop(PATIENCE)
    until(lambda: told(watched))
    assert time.monotonic() - begun > (STOPPED_FACTOR - 1) * SILENT_SECONDS
    (one,) = told(watched)
    assert one.severity == deviation_pb2.SEVERITY_LOW
    assert "it stopped in order and did not come back" in one.sentence


def test_one_that_beats_is_never_told(watched: str) -> None:
    agent = sink(watched)
    with beating(agent):
        until(lambda: agent.connected)
        time.sleep(QUIET_SECONDS)
        assert told(watched) == []
    agent.stop(PATIENCE)


def test_a_node_that_was_retired_is_forgotten(watched: str) -> None:
    agent = sink(watched, "node-z")
    connected(agent)
    refused = subprocess.run([*DRIFTLINE, "agents", "forget", "node-z", "--collector", watched], capture_output=True)
    assert (refused.returncode, b"stop it first" in refused.stderr) == (SettingsError.exit_status, True)
    kill(agent)
    until(lambda: told(watched))
    done = subprocess.run([*DRIFTLINE, "agents", "forget", "node-z", "--collector", watched], capture_output=True)
    assert done.returncode == 0, done.stderr
    (one,) = told(watched)
    assert one.notes[-1] == "resolved: the node was retired"
    shown = subprocess.run([*DRIFTLINE, "agents", "list", "--collector", watched], capture_output=True, text=True)
    assert shown.stdout == "no agent ever reported\n"
    time.sleep(QUIET_SECONDS)
    assert len(told(watched)) == 1


def test_a_collector_that_was_down_does_not_cry_but_still_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down for longer than the limit: agents get the time to come back; who does not is told once, over two starts."""
    monkeypatch.setattr(uplink, "Backoff", partial(Backoff, longest=0.2))  # an agent that waits 1.5 s comes too late
    patient = Looking("", Watching(silent_after=2.5))
    running = Collector(tmp_path / "state", listen=f"127.0.0.1:{ports.free()}", looking=patient)
    address = running.start()
    back, gone = sink(address, "back"), sink(address, "gone")
    connected(back)
    connected(gone)
    running.stop()
    kill_later = gone
    kill_later._uplink._stop.set()
    kill_later.stop(0.1)
    with beating(back):
        time.sleep(3.0)
        running = Collector(tmp_path / "state", listen=address, looking=patient)
        running.start()
        until(lambda: told(address))
        assert [one.node for one in told(address)] == ["gone"]
        running.stop()
        running = Collector(tmp_path / "state", listen=address, looking=patient)
        running.start()
        time.sleep(3.5)
        assert [(one.node, one.count) for one in told(address)] == [("gone", 1)]
        assert troubles(address) == ["agent.silent"]
    back.stop(PATIENCE)
    running.stop()


def test_a_collector_that_was_stopped_for_a_while_does_not_cry(tmp_path: Path) -> None:
    """SIGSTOP for longer than the limit: it heard nothing, but nobody was silent."""
    process = CollectorProcess(tmp_path / "state", "--silent-after", "5")
    try:
        agent = sink(address := process.start())
        with beating(agent):
            until(lambda: agent.connected)
            assert process.process is not None
            process.process.send_signal(signal.SIGSTOP)
            time.sleep(6)
            process.process.send_signal(signal.SIGCONT)
            time.sleep(2)
            assert told(address) == []
        agent.stop(PATIENCE)
    finally:
        process.clean_up()


def test_replicas_tell_it_once(cluster: Cluster, database: str, tmp_path: Path) -> None:
    keeping = Keeping(parse_store(cluster.url(database)))
    replicas = [Collector(tmp_path / f"s{i}", keeping=keeping, looking=SILENT_TO_ALL) for i in range(3)]
    addresses = [one.start() for one in replicas]
    try:
        agent = sink(addresses[0])
        connected(agent)
        kill(agent)
        until(lambda: told(addresses[1]))
        time.sleep(QUIET_SECONDS)
        assert [(one.kind, one.count) for one in told(addresses[2])] == [("agent.silent", 1)]
        agent = sink(addresses[2])  # it comes back to another one
        with beating(agent):
            until(lambda: told(addresses[1])[0].count == 2)
            time.sleep(2 * QUIET_SECONDS)
            assert [one.count for one in told(addresses[0])] == [2]
        agent.stop(PATIENCE)
    finally:
        stop_all(replicas)


def test_losses_beyond_the_limit_are_told_and_resolved(watched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentinel, "RECOVERED_SECONDS", 0.3)
    monkeypatch.setattr(symptoms, "WINDOW_SECONDS", 0.5)
    agent = sink(watched)
    connected(agent)
    agent.heartbeat([Loss("exec", "ring_full", 99)], {})
    time.sleep(0.2)
    assert told(watched, "agent.degraded") == []
    agent.heartbeat([Loss("exec", "ring_full", 5_000), Loss("dns", "cut", 10**6)], {})

    def beat() -> list[deviation_pb2.Deviation]:
        agent.heartbeat([Loss("exec", "ring_full", 5_000), Loss("dns", "cut", 10**6)], {})
        time.sleep(0.02)
        return told(watched, "agent.degraded")

    until(beat)
    (one,) = told(watched, "agent.degraded")
    assert (
        one.notes[0].endswith("losses within a minute (exec ring_full 4901)") or "(exec ring_full 5000)" in one.notes[0]
    )
    until(lambda: beat()[0].count == 2)
    assert told(watched, "agent.degraded")[0].notes[-1].startswith("resolved: well for")
    agent.stop(PATIENCE)


def test_what_the_agent_says_itself_is_told(watched: str) -> None:
    client = CollectorClient(watched)
    beats = pb.Heartbeat(hook_providers={"open": "lsm"}), pb.Heartbeat(troubles=["connects are not seen"])

    def messages() -> Iterator[pb.ReportRequest]:
        yield pb.ReportRequest(hello=pb.Hello(node="n"))
        yield pb.ReportRequest(heartbeat=beats[0])
        yield pb.ReportRequest(heartbeat=beats[1])
        until(lambda: told(watched, "agent.degraded"))

    for _response in client.report(messages()):
        pass
    client.close()
    (one,) = told(watched, "agent.degraded")
    assert list(one.notes) == ["hook open has no provider any more, it was lsm", "connects are not seen"]


def test_a_clock_that_is_set_back_or_on_changes_nothing(watched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, jumps = sink(watched), iter(range(10**9))
    real = time.time_ns
    monkeypatch.setattr(agents_module.time, "time_ns", lambda: real() + (-1) ** next(jumps) * 86_400 * 10**9)
    with beating(agent):
        until(lambda: agent.connected)
        time.sleep(QUIET_SECONDS)
        assert told(watched) == []
    kill(agent)
    until(lambda: told(watched))
