"""Slow disks, certificates that end, clocks that are set: the stream goes on, nothing is lost or doubled."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.certificates import Papers
from collector.rig import PATIENCE, CollectorProcess, replay, until
from driftline.report.spool import SpoolOptions
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.verdict.uuid7 import Uuid7
from driftline.wire.client import CollectorClient
from driftline.wire.credentials import PLAINTEXT, Credentials, Link
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.roles import Role
from driftline_collector.access_ports import Security
from driftline_collector.server import Collector
from faults.campaign import FLEET
from rig import ports
from unit.wire import samples

DAY = 86_400
EACH = 500  # deviations of each of two agents with a slow disk
LIFETIME = 8.0
"""Seconds a certificate is valid that ends while a test runs: an agent on a busy machine has connected long before."""

NOTICED = LIFETIME + 30


def sink(address: str, directory: Path, credentials: Credentials = PLAINTEXT) -> StreamSink:
    """Return a started agent with a spool."""
    options = SpoolOptions(directory / "spool", 64 << 20, 7.0, "batch", 100)
    started = StreamSink(address, AgentIdentity("node-a"), 10_000, credentials, options)
    started.start()
    return started


def stored(address: str, credentials: Credentials = PLAINTEXT) -> list[str]:
    """Return the ids of the agent's deviations in the store, in its order."""
    client = CollectorClient(Link(address, credentials))
    try:
        responses = client.tail(pb.TailRequest(replay=True))
        found = [one.deviation for response in responses for one in response.deviations]
    finally:
        client.close()
    return [one.id for one in found if one.kind == "exec.drift"]


def eventually(condition: Callable[[], object]) -> None:
    """Wait for what certificates' ends bring."""
    deadline = time.monotonic() + NOTICED
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


# --- a slow disk -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["agents", "collector"])
def test_a_slow_disk_loses_nothing(shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """Every write takes 10 ms, every sync 100 ms."""
    slow = {"LD_PRELOAD": str(shim), "SLOW_WRITE_MS": "10", "SLOW_SYNC_MS": "100"}
    collector = CollectorProcess(tmp_path / "state")
    try:
        with monkeypatch.context() as patch:
            if who == "collector":
                for name, value in slow.items():
                    patch.setenv(name, value)
            collector.start()
        command = [sys.executable, str(FLEET), collector.address, str(tmp_path), "2", str(EACH), "1"]
        environment = os.environ | (slow if who == "agents" else {})
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        outcomes = [json.loads(line) for line in done.stdout.splitlines()]
        assert [outcome["losses"] for outcome in outcomes] == [{}, {}]
        rows = [one.deviation for one in replay(collector.address) if one.deviation.kind == "exec.drift"]
        assert len(rows) == 2 * EACH
        for number in range(2):
            mine = [int(one.id[-12:], 16) for one in rows if int(one.id[:8], 16) == number]
            assert mine == list(range(EACH))
    finally:
        collector.clean_up()


# --- certificates that end -------------------------------------------------------------------------------------------


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path / "pki")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[Security], Collector]]:
    """A way to start collectors, which are stopped at the end."""
    started: list[Collector] = []

    def start(security: Security) -> Collector:
        started.append(Collector(tmp_path / "state", security=security))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_the_agents_certificate_ends_and_is_renewed(
    papers: Papers, running: Callable[[Security], Collector], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Both sides say so, deviations wait in the spool, and with new files it goes on without a restart."""
    caplog.set_level(logging.WARNING)
    address = running(papers.security()).address
    reader = papers.credentials(Role.READER, "ann")
    agent = sink(address, tmp_path, Credentials(papers.issue(Role.AGENT, "node-a", days=LIFETIME / DAY)))
    sent = [samples.deviation()]
    agent.submit(sent[0])
    until(lambda: stored(address, reader) == [sent[0].id])
    eventually(lambda: not agent.connected)
    for _ in range(5):
        sent.append(samples.deviation())
        agent.submit(sent[-1])
    eventually(lambda: "expired on" in caplog.text)
    eventually(lambda: "no longer valid" in caplog.text)  # the collector says why it ended the stream
    until(lambda: agent.figures().counters["spool.unsent"] == 5 or agent.figures().unacknowledged == 5)
    assert stored(address, reader) == [sent[0].id]
    papers.issue(Role.AGENT, "node-a")
    eventually(lambda: agent.connected)
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert stored(address, reader) == [one.id for one in sent]


def test_the_collectors_certificate_ends_and_is_renewed(
    papers: Papers, running: Callable[[Security], Collector], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An agent that connects anew refuses it and says so; with new files it is let in without a restart of either."""
    caplog.set_level(logging.WARNING)
    paths = papers.issue(Role.COLLECTOR, "main", days=LIFETIME / DAY)
    begun = time.monotonic()
    address = running(Security(paths)).address
    reader = papers.credentials(Role.READER, "ann")
    until(lambda: stored(address, reader) == [])
    time.sleep(max(0.0, begun + LIFETIME + 1 - time.monotonic()))
    agent, deviation = sink(address, tmp_path, papers.credentials(Role.AGENT, "node-a")), samples.deviation()
    agent.submit(deviation)
    eventually(lambda: "its certificate has expired" in caplog.text)
    assert not agent.connected
    papers.issue(Role.COLLECTOR, "main")
    eventually(lambda: agent.connected)
    agent.stop(PATIENCE)
    assert stored(address, reader) == [deviation.id]


# --- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-1, 1, -30])
def test_a_clock_that_is_set_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Agent and collector have one: it jumps while deviations come, and again while the connection is down."""
    shift = 0.0
    real, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + shift)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(shift * 1e9))
    first = Collector(tmp_path / "state", listen=f"127.0.0.1:{ports.free()}")
    address = first.start()
    agent, ids, sent = sink(address, tmp_path), Uuid7(), list[str]()

    def submit(count: int) -> None:
        for _ in range(count):
            now = time.time_ns()
            one = samples.deviation(id=ids.make(now), first_wall_ns=now, last_wall_ns=now)
            sent.append(one.id)
            agent.submit(one)

    submit(150)
    until(lambda: len(stored(address)) == 150)
    shift = days * DAY
    submit(150)
    until(lambda: len(stored(address)) == 300)
    first.stop()
    submit(150)
    shift = 0.0
    submit(150)
    second = Collector(tmp_path / "state", listen=address)
    second.start()
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert stored(address) == sent
    assert sent == sorted(sent), "the ids tell the order, whatever the clock says"
    second.stop()
