"""The spool's thread brings everything to disk, complains once, never keeps deviations from the collector."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driftline.report import keeper as module
from driftline.report.backlog import Backlog
from driftline.report.keeper import Keeper
from driftline.report.spool import Spool
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from unit.report.spooling import drain, ids, options
from unit.wire.samples import deviation


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "did not happen within 30 s"
        time.sleep(0.005)


def start(directory: Path) -> tuple[Backlog, Keeper]:
    backlog = Backlog(pb.Hello(node="node-a"), 1000, spooled=True)
    keeper = Keeper(backlog, options(directory))
    keeper.start()
    return backlog, keeper


def test_what_nobody_takes_is_on_disk_soon_and_all_of_it_at_the_end(tmp_path: Path) -> None:
    backlog, keeper = start(tmp_path)
    put = [deviation() for _ in range(1500)]
    for one in put[:700]:
        backlog.put(one)
    until(lambda: not backlog.waiting)
    for one in put[700:]:
        backlog.put(one)
    keeper.stop(60)
    assert backlog.losses() == []
    spool = Spool(options(tmp_path))
    assert ids(drain(spool)) == [one.id for one in put]
    spool.close()


def test_the_cursor_follows(tmp_path: Path) -> None:
    backlog, keeper = start(tmp_path)
    backlog.put(deviation())
    messages = backlog.open()
    next(messages)
    backlog.acknowledge(pb.Acknowledgement(sequence=next(messages).batch.sequence))
    cursor = tmp_path / "spool" / "cursor"
    before = cursor.read_bytes()
    until(lambda: cursor.read_bytes() != before)
    keeper.stop(60)
    spool = Spool(options(tmp_path))
    assert not spool.more
    spool.close()


def test_a_spool_that_is_taken_is_said_once_and_memory_used_until_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)
    other = Spool(options(tmp_path))
    backlog, keeper = start(tmp_path)
    one = deviation()
    backlog.put(one)
    messages = backlog.open()
    next(messages)
    assert [sent.id for sent in next(messages).batch.deviations] == [one.id]
    time.sleep(0.2)
    other.close()
    until(lambda: len(caplog.messages) == 2)
    assert "is used by another agent; deviations wait in memory only" in caplog.messages[0]
    assert caplog.messages[1] == "the spool is in use now"
    keeper.stop(60)


def test_a_bug_does_not_keep_deviations_from_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(module, "Spool", fail)
    backlog, keeper = start(tmp_path)
    one = deviation()
    backlog.put(one)
    messages = backlog.open()
    next(messages)
    assert [sent.id for sent in next(messages).batch.deviations] == [one.id]
    assert "not looked after any more" in caplog.text
    keeper.stop(60)
