"""From an agent's sink with a spool to the store: through outages and restarts of both, everything once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.rig import PATIENCE, CollectorProcess, replay, until
from driftline.nouns import Severity
from driftline.report import stream
from driftline.report.spool import Spool, SpoolOptions
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.wire.convert import deviation_from_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from faults.test_away import files, waiting_in_memory
from unit.wire import samples

MIB = 1024 * 1024


@pytest.fixture
def process(tmp_path: Path) -> Iterator[CollectorProcess]:
    """A collector to start, signal and kill."""
    collector = CollectorProcess(tmp_path / "state")
    yield collector
    collector.clean_up()


@pytest.fixture(autouse=True)
def _patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that stops waits for its disk, however busy that is."""
    monkeypatch.setattr(stream, "KEEP_SECONDS", PATIENCE)


def options(directory: Path, capacity: int = 64 * MIB) -> SpoolOptions:
    return SpoolOptions(directory / "spool", capacity, 7.0, "batch", 100)


def sink(address: str, spool: SpoolOptions, capacity: int = 10_000) -> StreamSink:
    started = StreamSink(address, AgentIdentity(node="node-a", abi=1, boot_id="b"), capacity, spool=spool)
    started.start()
    return started


def ids(stored: list[pb.StoredDeviation]) -> list[str]:
    return [item.deviation.id for item in stored]


def test_the_collector_comes_back_after_the_agent_was_restarted(process: CollectorProcess, tmp_path: Path) -> None:
    address, sent = process.start(), []
    agent = sink(address, options(tmp_path))
    for round_ in range(3):
        for index in range(701):
            sent.append(samples.deviation(what=f"/tmp/{round_}.{index}{samples.HOSTILE}"))
            agent.submit(sent[-1])
        if round_ == 0:
            until(lambda: len(replay(address)) == 701)
            process.end(signal.SIGKILL)
        else:
            agent.stop(0.3)
            assert agent.losses() == []
            agent = sink(address, options(tmp_path))
    process.start()
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert [deviation_from_wire(item.deviation) for item in replay(process.address)] == sent
    empty = Spool(options(tmp_path))
    assert not empty.more
    empty.close()


def test_order_is_kept_while_the_collector_dies_again_and_again(process: CollectorProcess, tmp_path: Path) -> None:
    agent, sent = sink(process.start(), options(tmp_path)), []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        for _ in range(401):
            sent.append(samples.deviation())
            agent.submit(sent[-1])
            time.sleep(0.0005)
        process.end(number)
        process.start()
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert ids(replay(process.address)) == [deviation.id for deviation in sent]


def test_a_long_backlog_does_not_hold_up_what_is_live(process: CollectorProcess, tmp_path: Path) -> None:
    """Each part arrives in its order, and the live one does not wait for the backlog's end."""
    address = process.start()
    process.end()
    agent, old = sink(address, options(tmp_path)), []
    for index in range(20_000):
        old.append(samples.deviation(what=f"/old/{index}"))
        agent.submit(old[-1])
        if index % 1000 == 0:
            until(lambda: waiting_in_memory(agent) < 5_000)  # the keeper writes
    process.start()
    until(lambda: agent.connected)
    live = []
    for index in range(20):
        live.append(samples.deviation(what=f"/live/{index}"))
        agent.submit(live[-1])
        time.sleep(0.01)
    agent.stop(PATIENCE)
    assert agent.losses() == []
    stored = ids(replay(address))
    assert len(stored) == len(set(stored)) == 20_020
    overtook = {item.id for item in live}
    assert [one for one in stored if one in overtook] == [item.id for item in live]
    assert [one for one in stored if one not in overtook] == [item.id for item in old]
    assert stored.index(live[0].id) < 19_000


def test_a_flood_without_a_collector_keeps_what_matters_and_counts_the_rest(
    process: CollectorProcess, tmp_path: Path
) -> None:
    address = process.start()
    process.end()
    capacity = 16 * MIB
    agent = sink(address, options(tmp_path, capacity), capacity=5_000)
    submitted: dict[Severity, list[str]] = {severity: [] for severity in Severity}
    pattern = [Severity.LOW] * 40 + [Severity.MEDIUM] * 9 + [Severity.CRITICAL]
    padding = ("x" * 600,)
    for index in range(40_000):
        one = samples.deviation(severity=pattern[index % len(pattern)], argv=padding)
        submitted[one.severity].append(one.id)
        agent.submit(one)
        if index % 1000 == 0:
            until(lambda: waiting_in_memory(agent) < 2_000)
    until(lambda: waiting_in_memory(agent) == 0)
    assert files(tmp_path / "spool") <= capacity
    process.start()
    until(lambda: agent.connected)
    agent.stop(PATIENCE)
    stored = set(ids(replay(address)))
    lost = {(loss.hook, loss.cause): loss.count for loss in agent.losses()}
    assert set(submitted[Severity.CRITICAL]) <= stored
    assert lost.keys() <= {("spool", "dropped"), ("report", "queue_full")}
    assert len(stored) + sum(lost.values()) == 40_000
    assert lost["spool", "dropped"] > 10_000
    stored_low = [one for one in submitted[Severity.LOW] if one in stored]
    assert len(stored_low) < len(submitted[Severity.LOW]) / 4
