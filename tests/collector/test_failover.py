"""Agents, tails and commands with several collector addresses: one fails, the next takes over, nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.cluster import Cluster
from collector.rig import DRIFTLINE, PATIENCE, CollectorProcess, listing, replay, sink, until
from driftline.nouns import Loss
from driftline.wire import service
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from rig import ports
from unit.wire import samples

NOTICED_SECONDS = 60.0
"""A silent peer is noticed after 15 s (``wire.service``), on a busy machine."""


@pytest.fixture
def pair(cluster: Cluster, database: str, tmp_path: Path) -> Iterator[list[CollectorProcess]]:
    """Two replicas on one PostgreSQL, started."""
    replicas = [CollectorProcess(tmp_path / name, "--store", cluster.url(database)) for name in "ab"]
    try:
        for one in replicas:
            one.start()
        yield replicas
    finally:
        for one in replicas:
            one.clean_up()


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[list[CollectorProcess]]:
    """Two collectors with a store each, started."""
    collectors = [CollectorProcess(tmp_path / name) for name in "ab"]
    try:
        for one in collectors:
            one.start()
        yield collectors
    finally:
        for one in collectors:
            one.clean_up()


def addresses(collectors: list[CollectorProcess]) -> str:
    return ",".join(one.address for one in collectors)


def ids(stored: list[pb.StoredDeviation]) -> list[str]:
    return [item.deviation.id for item in stored]


def nobody() -> str:
    """Return an address where nobody listens."""
    return f"127.0.0.1:{ports.free()}"


def test_replicas_die_in_turns_and_each_deviation_is_stored_once_in_order(pair: list[CollectorProcess]) -> None:
    agent, sent = sink(addresses(pair)), []
    for number, dying in [(signal.SIGKILL, 0), (signal.SIGTERM, 1), (signal.SIGKILL, 0)]:
        for _ in range(301):
            sent.append(samples.deviation())
            agent.submit(sent[-1])
            time.sleep(0.0005)
        pair[dying].end(number)
        until(lambda: agent.connected)  # at the other one
        pair[dying].start()
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert ids(replay(pair[1].address)) == [one.id for one in sent]


def test_a_frozen_replica_is_left(pair: list[CollectorProcess]) -> None:
    """It accepts connections and says nothing: neither its silence nor its coming back loses or doubles anything."""
    first = pair[0].process
    assert first
    agent, sent = sink(addresses(pair)), [samples.deviation() for _ in range(50)]
    until(lambda: agent.connected)
    first.send_signal(signal.SIGSTOP)
    try:
        for one in sent:
            agent.submit(one)
        deadline = time.monotonic() + NOTICED_SECONDS
        while len(ids(listing(pair[1].address))) < len(sent):
            assert time.monotonic() < deadline, "the agent stays with a collector that says nothing"
            time.sleep(0.5)
    finally:
        first.send_signal(signal.SIGCONT)
    agent.stop(PATIENCE)
    assert ids(replay(pair[0].address)) == [one.id for one in sent]


def test_another_store_gets_what_was_not_acknowledged(strangers: list[CollectorProcess]) -> None:
    agent, early, late = sink(addresses(strangers)), samples.deviation(), samples.deviation()
    agent.submit(early)
    until(lambda: sum(agent.figures().acknowledged.counts) == 1)
    strangers[0].end(signal.SIGKILL)
    agent.submit(late)
    until(lambda: ids(listing(strangers[1].address)) == [late.id])
    agent.stop(PATIENCE)
    assert ids(listing(strangers[0].start())) == [early.id]


def test_a_tail_goes_on_at_the_next_replica(pair: list[CollectorProcess]) -> None:
    command = [*DRIFTLINE, "tail", "--json", "--since", "1h", "--collector", addresses(pair)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout
        assert tail.stderr
        agent, sent = sink(pair[1].address), [samples.deviation() for _ in range(3)]
        agent.submit(sent[0])
        assert sent[0].id in tail.stdout.readline()
        pair[0].end(signal.SIGKILL)
        agent.submit(sent[1])
        assert sent[1].id in tail.stdout.readline()
        agent.submit(sent[2])
        assert sent[2].id in tail.stdout.readline()
        tail.terminate()
        said = tail.stderr.read()
        agent.stop(PATIENCE)
    assert f"{pair[0].address} cannot be reached" in said
    assert f"collector {pair[1].address} answers" in said


@pytest.mark.parametrize("arguments", [["tail", "--no-follow"], ["agents", "list"], ["silence", "list"]])
def test_commands_ask_the_next_when_nobody_is_there(strangers: list[CollectorProcess], arguments: list[str]) -> None:
    where = f"{nobody()},{strangers[0].address}"
    done = subprocess.run([*DRIFTLINE, *arguments, "--collector", where], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_command_that_finds_nobody_at_all_says_so() -> None:
    where = f"{nobody()},{nobody()}"
    for arguments in (["tail", "--no-follow"], ["agents", "list"]):
        command = [*DRIFTLINE, *arguments, "--collector", where]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert "cannot be reached" in done.stderr


def test_a_deviation_larger_than_any_message_does_not_hold_up_the_rest(
    strangers: list[CollectorProcess],
) -> None:
    agent = sink(addresses(strangers))
    huge = samples.deviation(argv=("x" * (service.MESSAGE_BYTES + 1),))
    largest = samples.deviation(argv=("y" * (service.DEVIATION_BYTES - 1024),))
    small = [samples.deviation() for _ in range(3)]
    for one in (small[0], largest, huge, largest, small[1]):
        agent.submit(one)
    agent.submit(small[2])
    until(lambda: len(listing(strangers[0].address)) == 4)
    assert agent.losses() == [Loss("report", "too_large", 1)]
    assert agent.connected
    agent.stop(PATIENCE)
