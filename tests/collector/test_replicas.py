"""Several collectors on one PostgreSQL: whoever follows any of them sees everything once, in one order."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from collector.cluster import Cluster, stop_all
from collector.rig import PATIENCE, CollectorProcess, listing, replay, sink, until
from collector.test_follow import (  # noqa: F401 - they run here too, on the collector of this module
    Tail,
    test_a_repeat_reaches_who_has_seen_the_first,
    test_a_slow_follower_is_told_what_it_missed_and_slows_nobody,
    test_a_tail_sees_each_deviation_once_wherever_it_begins,
    test_filters_hold_for_stored_listed_and_new_alike,
)
from driftline.report.stream import StreamSink
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import feed as feed_module
from driftline_collector import notices, replicas
from driftline_collector.server import Collector
from driftline_collector.storage import Keeping
from driftline_collector.store_address import parse_store
from driftline_collector.store_postgres import CHANNEL
from unit.wire import samples

Start = Callable[[], str]


@pytest.fixture
def start(cluster: Cluster, database: str, tmp_path: Path) -> Iterator[Start]:
    """Starts one more replica and returns its address."""
    running: list[Collector] = []

    def start_one() -> str:
        keeping = Keeping(parse_store(cluster.url(database)))
        running.append(Collector(tmp_path / f"state-{len(running)}", keeping=keeping))
        return running[-1].start()

    yield start_one
    stop_all(running)


@pytest.fixture
def collector(start: Start) -> str:
    """One of two replicas: the tests of test_follow hold for it."""
    start()
    return start()


def send(agent: StreamSink, count: int, sent: list[str]) -> None:
    for i in range(count):
        sent.append((one := samples.deviation()).id)
        agent.submit(one)
        if i % 20 == 0:
            time.sleep(0.001)


def test_tails_of_all_replicas_see_the_same_in_the_same_order(start: Start) -> None:
    """Three agents on three replicas; tails begin before and in between, on each."""
    addresses = [start() for _ in range(3)]
    agents = [sink(address, f"node-{i}") for i, address in enumerate(addresses)]
    tails, sent = [Tail(address, pb.TailRequest(replay=True, follow=True)) for address in addresses], list[str]()
    for _ in range(4):
        for i, agent in enumerate(agents):
            for _ in range(151):
                sent.append((one := samples.deviation(node=f"node-{i}")).id)
                agent.submit(one)
        time.sleep(0.02)
        tails += [Tail(address, pb.TailRequest(replay=True, follow=True)) for address in addresses]
    for agent in agents:
        agent.stop(PATIENCE)
    for tail in tails:
        until(lambda tail=tail: len(tail.ids) >= len(sent))  # type: ignore[misc]
        tail.stop()
    assert sorted(tails[0].ids) == sorted(sent)
    assert tails[0].revisions == list(range(1, len(sent) + 1))
    for tail in tails[1:]:
        assert tail.ids == tails[0].ids
        assert tail.revisions == tails[0].revisions


def test_word_of_others_comes_at_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """By notice, not by the look every few seconds."""
    monkeypatch.setattr(notices, "LOOK_SECONDS", 3600.0)
    here, there = start(), start()
    agent, tail, sent = sink(here), Tail(there, pb.TailRequest(follow=True)), list[str]()
    until(lambda: tail.responses)
    send(agent, 10, sent)
    until(lambda: tail.ids == sent)
    tail.stop()
    agent.stop(PATIENCE)


def test_notices_that_never_came_are_made_up_for(
    start: Start, cluster: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listening connections are cut while others commit; the table has what they missed."""
    here, there = start(), start()
    agent, tail, sent = sink(here), Tail(there, pb.TailRequest(follow=True)), list[str]()
    until(lambda: tail.responses)
    for _ in range(5):
        cluster.execute(
            database,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' "
            "AND pid != pg_backend_pid() AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT coalesce(max(revision)%')",
        )
        send(agent, 101, sent)
    agent.stop(PATIENCE)
    until(lambda: len(tail.ids) >= len(sent))
    tail.stop()
    assert tail.ids == sent


def test_false_word_moves_nobody(start: Start, cluster: Cluster, database: str) -> None:
    here, there = start(), start()
    tail, sent = Tail(there, pb.TailRequest(follow=True)), list[str]()
    until(lambda: tail.responses)
    with psycopg.connect(cluster.url(database), autocommit=True) as stranger:
        for payload in ("", "9" * 30, "x" * 5000):
            stranger.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
    agent = sink(here)
    send(agent, 10, sent)
    until(lambda: tail.ids == sent)
    assert tail.revisions == list(range(1, 11))
    tail.stop()
    agent.stop(PATIENCE)


def test_a_replica_that_lags_replays_all_that_is_stored(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was not told of, such as after it stood still, is stored none the less."""
    monkeypatch.setattr(replicas.Relay, "told", lambda _self, _revision: None)
    here, there = start(), start()
    agent, sent = sink(here), list[str]()
    send(agent, 10, sent)
    agent.stop(PATIENCE)
    assert [one.deviation.id for one in replay(there)] == sent


def test_a_cursor_goes_on_at_another_replica_that_lags(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other replica hears nothing for a while: it must not send again what the first one sent."""
    here = start()
    monkeypatch.setattr(replicas.Relay, "told", lambda _self, _revision: None)
    there = start()
    agent, sent = sink(here), list[str]()
    monkeypatch.undo()
    send(agent, 100, sent)
    agent.stop(PATIENCE)
    first = Tail(here, pb.TailRequest(replay=True, follow=True))
    until(lambda: len(first.ids) == 100)
    first.stop()
    second = Tail(there, pb.TailRequest(resume=first.responses[-1].cursor, follow=True))
    until(lambda: second.responses)
    again = sink(there, "node-b")
    again.submit(new := samples.deviation(node="node-b"))
    until(lambda: second.ids)
    again.stop(PATIENCE)
    second.stop()
    assert second.ids == [new.id]


def test_a_slow_follower_of_others_deviations_is_told_what_it_missed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = start(), start()
    monkeypatch.setattr(feed_module, "FOLLOWER_DEVIATIONS", 100)
    client = CollectorClient(there)
    slow = iter(client.tail(pb.TailRequest(follow=True)))
    next(slow)
    agent, sent, large = sink(here), 3001, ("x" * 20_000,)  # 60 MB: more than the connection buffers
    for _ in range(sent):
        agent.submit(samples.deviation(argv=large))
    agent.stop(PATIENCE)
    assert agent.losses() == []
    received = missed = 0
    while received + missed < sent:
        response = next(slow)
        received += len(response.deviations)
        missed += response.missed
    client.close()
    assert missed > 0
    assert received + missed == sent


def test_every_replica_knows_all_agents(start: Start) -> None:
    here, there = start(), start()
    agents = [sink(here, "node-a"), sink(there, "node-b")]
    for address in (here, there):
        client = CollectorClient(address)
        both = [("node-a", True), ("node-b", True)]
        until(lambda: [(one.hello.node, one.connected) for one in client.list_agents().agents] == both)  # noqa: B023
        client.close()
    for agent in agents:
        agent.stop(PATIENCE)


def test_an_agent_goes_on_at_another_replica(cluster: Cluster, database: str, tmp_path: Path) -> None:
    """A replica is killed with batches under way; what it had committed and not acknowledged is not doubled."""
    processes = [CollectorProcess(tmp_path / f"state-{i}", "--store", cluster.url(database)) for i in range(2)]
    first, second = (one.start() for one in processes)
    sent, stored = list[str](), list[str]()
    for address, victim in ((first, processes[0]), (second, None)):
        agent = sink(address)
        for id in sent[len(stored) :]:  # what its spool still has
            agent.submit(samples.deviation(id=id))
        send(agent, 2000, sent)
        if victim:
            victim.end(signal.SIGKILL)
            agent.stop(0.1)
            stored = [item.deviation.id for item in listing(second)][::-1]
            assert stored == sent[: len(stored)]
        else:
            agent.stop(PATIENCE)
    assert [item.deviation.id for item in listing(second)][::-1] == sent
    processes[1].end()
