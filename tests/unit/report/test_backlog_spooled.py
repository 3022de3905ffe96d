"""A backlog with a spool: on disk before it is sent, in order unless that would keep what is live waiting."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.nouns import Loss, Severity
from driftline.report import backlog as module
from driftline.report.backlog import BACKLOG_BATCHES, WINDOW_BATCHES, Backlog
from driftline.report.spool import Spool
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from unit.report.spooling import drain, ids, options
from unit.wire.samples import deviation


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(options(tmp_path))
    yield opened
    opened.close()


def backlog(spool: Spool | None, capacity: int = 100_000) -> Backlog:
    made = Backlog(pb.Hello(node="node-a"), capacity, spooled=True)
    if spool is not None:
        made.attach(spool)
    return made


def begin(source: Backlog) -> Iterator[pb.ReportRequest]:
    messages = source.open()
    assert next(messages).hello.node == "node-a"
    return messages


def put(source: Backlog, count: int) -> list[str]:
    made = [deviation(severity=Severity.LOW) for _ in range(count)]
    for one in made:
        source.put(one)
    return [one.id for one in made]


def sent(message: pb.ReportRequest) -> list[str]:
    return [one.id for one in message.batch.deviations]


def test_what_is_sent_is_on_disk_already(spool: Spool, tmp_path: Path) -> None:
    source = backlog(spool)
    wanted = put(source, 3)
    assert sent(next(begin(source))) == wanted
    assert not spool.more  # it will not be sent twice
    spool.close()
    again = Spool(options(tmp_path))
    assert ids(drain(again)) == wanted
    again.close()


def test_what_was_acknowledged_does_not_come_again(spool: Spool, tmp_path: Path) -> None:
    source = backlog(spool)
    messages = begin(source)
    put(source, 3)
    next(messages)
    left = put(source, 2)
    next(messages)
    source.acknowledge(pb.Acknowledgement(sequence=1))
    spool.close()
    again = Spool(options(tmp_path))
    assert ids(drain(again)) == left
    again.close()


def test_without_a_connection_everything_goes_to_disk_and_none_stays_in_memory(spool: Spool) -> None:
    source = backlog(spool, capacity=1000)
    wanted = []
    for _ in range(5):
        wanted += put(source, 900)
        source.keep()
    assert not source.waiting
    assert source.losses() == []
    messages = begin(source)
    got: list[str] = []
    for _ in range(BACKLOG_BATCHES):
        got += sent(next(messages))
    assert got == wanted[: len(got)]


def test_a_short_backlog_goes_first(spool: Spool) -> None:
    source = backlog(spool)
    old = put(source, 700)
    source.keep()
    new = put(source, 3)
    messages = begin(source)
    got: list[str] = []
    while len(got) < 703:
        got += sent(next(messages))
    assert got == old + new


def test_a_long_backlog_takes_turns_with_what_is_live(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ORDERED", 600)
    source = backlog(spool)
    old = put(source, 2000)
    source.keep()
    live = put(source, 3)
    messages = begin(source)
    assert sent(next(messages)) == live
    more = put(source, 2)
    assert sent(next(messages)) == old[:512]
    assert sent(next(messages)) == more
    assert sent(next(messages)) == old[512:1024]


def test_the_backlog_leaves_room_in_the_window_for_what_is_live(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ORDERED", 600)
    source = backlog(spool)
    put(source, 512 * (BACKLOG_BATCHES + 3))
    source.keep()
    messages = begin(source)
    for _ in range(BACKLOG_BATCHES):
        assert len(sent(next(messages))) == 512
    live = put(source, 1)
    assert sent(next(messages)) == live
    further: list[pb.ReportRequest] = []
    reader = threading.Thread(target=lambda: further.extend(messages))
    reader.start()
    time.sleep(0.1)
    source.close()
    reader.join(60)
    assert further == []


def test_with_a_full_window_the_keeper_writes_what_is_live_to_disk(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = backlog(spool)
    messages = begin(source)
    for _ in range(WINDOW_BATCHES):
        put(source, 1)
        next(messages)
    left = put(source, 2)
    source.keep()
    assert source.waiting  # a connection took some a moment ago: it is not disturbed
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.0)
    source.keep()
    assert not source.waiting
    source.acknowledge(pb.Acknowledgement(sequence=WINDOW_BATCHES))
    assert sent(next(messages)) == left


def test_what_is_live_does_not_fall_behind_a_long_backlog_while_the_connection_is_slow(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ORDERED", 600)
    source = backlog(spool)
    put(source, 512 * 8)
    source.keep()
    messages = begin(source)
    next(messages)  # it flows
    live = put(source, 2)
    source.keep()  # nobody asks for the next message in the meantime
    assert not source.waiting
    assert sent(next(messages)) == live


def test_nothing_is_sent_before_the_spool_is_there(tmp_path: Path) -> None:
    source = backlog(None)
    wanted = put(source, 2)
    messages = begin(source)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.extend(sent(next(messages))))
    reader.start()
    time.sleep(0.05)
    assert not got
    source.attach(None)  # there is none: memory it is
    reader.join(60)
    assert got == wanted
    source.abandon()
    assert source.losses() == [Loss("report", "not_delivered", 2)]


def test_what_is_on_disk_is_not_lost_when_the_agent_ends(spool: Spool) -> None:
    source = backlog(spool)
    put(source, 3)
    next(begin(source))
    put(source, 2)
    source.keep(everything=True)
    source.abandon()
    assert source.losses() == []


def test_what_the_disk_refuses_stays_in_memory_and_goes_to_it_later(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A limit on the size of files stands for a full disk: part of a write succeeds, then none."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    source, before = backlog(spool), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        wanted = put(source, 1200)
        source.keep()
        assert source.waiting
        assert 0 < spool.unsent < 1200
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    source.keep()
    assert not source.waiting
    assert ids(drain(spool)) == wanted
    assert caplog.messages == [
        "the spool cannot be written (File too large): deviations wait in memory",
        "the spool can be written again",
    ]


def test_it_is_done_once_the_backlog_is_acknowledged_too(spool: Spool) -> None:
    source = backlog(spool)
    put(source, 600)
    source.keep()
    source.finish()
    assert not source.done
    batches = [message.batch.sequence for message in begin(source) if message.HasField("batch")]
    assert batches == [1, 2]
    assert not source.done
    source.acknowledge(pb.Acknowledgement(sequence=2))
    assert source.done


def test_the_heartbeat_tells_what_waits(spool: Spool) -> None:
    source = backlog(spool, capacity=5000)
    put(source, 600)
    source.keep()
    put(source, 7)
    source.put_heartbeat(pb.Heartbeat())
    figures = next(begin(source)).heartbeat.queue
    assert (figures.waiting, figures.unacknowledged, figures.capacity) == (607, 0, 5000)
    assert source.counters()["spool.unsent"] == 600
