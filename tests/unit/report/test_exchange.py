"""The exchange of baselines, alone: what is said when, whatever the other side sends."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.report import incoming as incoming_module
from driftline.report.backlog import Backlog
from driftline.report.exchange import MAX_ENVELOPE, MAX_TASKS, MAX_WHOLES, Exchange, Receive, Upload
from driftline.report.incoming import Incoming
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import Gathering, parts
from driftline.wire.service import PART_BYTES, WHOLE_BYTES
from unit.wire.samples import deviation

NAME, VERSION = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
MSGPACK = baseline_pb2.BASELINE_FORMAT_MSGPACK


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(Incoming(str(tmp_path)))


def hear(exchange: Exchange, **message: object) -> None:
    exchange.hear(pb.ReportResponse(**message))  # type: ignore[arg-type]


def welcome(exchange: Exchange, takes: bool = True) -> None:
    hear(exchange, welcome=pb.Welcome(takes_baselines=takes))


def in_use(
    state: baseline_pb2.BaselineState = baseline_pb2.BASELINE_STATE_CANDIDATE, name: str = NAME
) -> baseline_pb2.BaselinesInUse:
    one = baseline_pb2.BaselineInUse(name=name, state=state, version=VERSION, revision=3)
    return baseline_pb2.BaselinesInUse(state_id="s", baselines=[one])


def want(exchange: Exchange, name: str = NAME, version: str = VERSION, revision: int = 3) -> None:
    hear(exchange, baseline_wanted=baseline_pb2.BaselineWanted(name=name, version=version, revision=revision))


def send(exchange: Exchange, data: bytes, version: str = VERSION) -> None:
    for part in parts(NAME, version, MSGPACK, data):
        hear(exchange, baseline_part=part)


def messages(exchange: Exchange) -> Iterator[pb.ReportRequest]:
    while (message := exchange.next(idle=True)) is not None:
        yield message


def outcomes(exchange: Exchange) -> list[tuple[int, str]]:
    said = [one.baseline_outcome for one in messages(exchange) if one.HasField("baseline_outcome")]
    return [(one.outcome, one.reason) for one in said]


def received(exchange: Exchange) -> Receive:
    task = exchange.task(0)
    assert isinstance(task, Receive)
    return task


# --- what is said -----------------------------------------------------------------------------------------------------


def test_nothing_is_said_to_a_collector_that_does_not_take_baselines(exchange: Exchange) -> None:
    welcome(exchange, takes=False)
    exchange.offer(in_use())
    want(exchange)
    send(exchange, b"x")
    hear(exchange, revocation=baseline_pb2.Revocation(name=NAME, version=VERSION))
    assert not exchange.ready(idle=True)
    assert list(messages(exchange)) == []
    assert exchange.task(0) is None


def test_what_is_in_use_is_told_on_each_connection_and_when_it_changed(exchange: Exchange) -> None:
    exchange.offer(in_use())
    assert not exchange.ready(idle=True)
    for _connection in range(2):
        welcome(exchange)
        assert [one.baselines_in_use for one in messages(exchange)] == [in_use()]
        assert not exchange.ready(idle=True)
        exchange.close()
    welcome(exchange)
    changed = baseline_pb2.BaselinesInUse(state_id="other")
    exchange.offer(changed)
    assert [one.baselines_in_use for one in messages(exchange)] == [changed]


def test_a_wanted_baseline_goes_in_pieces(exchange: Exchange) -> None:
    welcome(exchange)
    exchange.offer(in_use())
    want(exchange)
    task = exchange.task(0)
    assert task == Upload(NAME, VERSION, 3)
    data = os.urandom(PART_BYTES * 2 + 7)
    exchange.uploaded(task, data)
    gathering = Gathering()
    pieces = [one.baseline_part for one in messages(exchange) if one.HasField("baseline_part")]
    assert len(pieces) == 3
    wholes = [gathering.take(piece) for piece in pieces]
    assert wholes[-1] == (NAME, VERSION, MSGPACK, data)
    assert exchange.counts["uploaded"] == 1
    assert exchange.task(0) is None, "once is enough"


def test_pieces_wait_for_a_quiet_moment_and_words_do_not(exchange: Exchange) -> None:
    welcome(exchange)
    exchange.offer(in_use())
    want(exchange)
    exchange.uploaded(Upload(NAME, VERSION, 3), b"x")
    said = exchange.next(idle=False)
    assert said is not None
    assert said.HasField("baselines_in_use")
    assert not exchange.ready(idle=False)
    assert exchange.next(idle=False) is None
    assert exchange.ready(idle=True)


@pytest.mark.parametrize(("name", "version", "revision"), [("x", VERSION, 3), (NAME, "x", 3), (NAME, VERSION, 4)])
def test_what_was_not_listed_is_not_read(exchange: Exchange, name: str, version: str, revision: int) -> None:
    welcome(exchange)
    exchange.offer(in_use())
    want(exchange, name, version, revision)
    assert exchange.task(0) is None


def test_what_is_being_learned_is_not_read(exchange: Exchange) -> None:
    welcome(exchange)
    exchange.offer(in_use(baseline_pb2.BASELINE_STATE_LEARNING))
    want(exchange)
    assert exchange.task(0) is None


def test_one_whole_is_under_way_at_a_time_and_a_lost_connection_ends_it(exchange: Exchange) -> None:
    welcome(exchange)
    listed = in_use()
    listed.baselines.append(in_use(name="sha256:" + "ef" * 32).baselines[0])
    exchange.offer(listed)
    for one in listed.baselines:
        want(exchange, one.name)
    exchange.uploaded(Upload(NAME, VERSION, 3), b"x" * (PART_BYTES + 1))
    assert exchange.task(0) is None, "the second waits for the first"
    exchange.close()
    welcome(exchange)
    assert [one.WhichOneof("message") for one in messages(exchange)] == ["baselines_in_use"]
    assert exchange.task(0) is None, "it asks anew what it wants"


def test_what_is_not_there_any_more_is_passed_over(exchange: Exchange) -> None:
    welcome(exchange)
    exchange.offer(in_use())
    want(exchange)
    exchange.uploaded(Upload(NAME, VERSION, 3), None)
    assert [one.WhichOneof("message") for one in messages(exchange)] == ["baselines_in_use"]
    assert exchange.task(0) is None


# --- what comes in ----------------------------------------------------------------------------------------------------


def test_a_whole_comes_in_through_a_file(exchange: Exchange, tmp_path: Path) -> None:
    welcome(exchange)
    data = os.urandom(PART_BYTES + 1)
    send(exchange, data)
    task = received(exchange)
    assert task.file is not None
    assert task.file.read_bytes() == data
    assert task.file.stat().st_mode & 0o777 == 0o600
    exchange.received(task, baseline_pb2.OUTCOME_TAKEN)
    (said,) = messages(exchange)
    expected = baseline_pb2.BaselineOutcome(name=NAME, version=VERSION, outcome=baseline_pb2.OUTCOME_TAKEN)
    assert said.baseline_outcome == expected
    assert exchange.counts == {"taken": 1}


def piece(**changed: object) -> baseline_pb2.BaselinePart:
    one = next(iter(parts(NAME, VERSION, MSGPACK, b"x" * (PART_BYTES * 2))))
    for name, value in changed.items():
        setattr(one, name, value)
    return one


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([piece(offset=PART_BYTES)], "before the one at 0"),
        ([piece(), piece(offset=5)], "is next"),
        ([piece(), piece(offset=PART_BYTES, name="other")], "another baseline"),
        ([piece(), piece(offset=PART_BYTES, data=b"y" * PART_BYTES)], "digest"),
        ([piece(size=WHOLE_BYTES + 1)], "are taken"),
        ([piece(size=2**63)], "are taken"),
        ([piece(size=0, data=b"")], "are taken"),
        ([piece(data=b"")], "a piece of 0 bytes"),
        ([piece(data=b"x" * (PART_BYTES + 1))], "a piece of"),
        ([piece(size=5)], "a piece of"),
    ],
)
def test_pieces_that_do_not_fit_fail_once_and_leave_nothing(
    exchange: Exchange, tmp_path: Path, pieces: list[baseline_pb2.BaselinePart], why: str
) -> None:
    welcome(exchange)
    for one in (*pieces, piece(offset=PART_BYTES)):  # the last: what comes after is of no use, and not answered
        hear(exchange, baseline_part=one)
    ((outcome, reason),) = outcomes(exchange)
    assert outcome == baseline_pb2.OUTCOME_FAILED
    assert why in reason
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    send(exchange, b"good")
    assert received(exchange).file is not None, "the next one is taken all the same"


def test_two_wholes_mixed_fail(exchange: Exchange) -> None:
    welcome(exchange)
    one, other = (list(parts(NAME, version, MSGPACK, b"x" * (PART_BYTES + 1))) for version in ("a", "b"))
    for part in (one[0], other[0], one[1], other[1]):
        hear(exchange, baseline_part=part)
    assert [outcome for outcome, _reason in outcomes(exchange)] == [baseline_pb2.OUTCOME_FAILED]
    assert exchange.task(0) is None


def test_a_full_disk_is_told(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    welcome(exchange)
    monkeypatch.setattr(incoming_module.os, "open", full)
    send(exchange, b"x" * (PART_BYTES * 3))
    assert outcomes(exchange) == [(baseline_pb2.OUTCOME_FAILED, "No space left on device")]
    assert exchange.counts == {"failed": 1}


def test_the_outcome_goes_to_the_connection_that_asked(exchange: Exchange, tmp_path: Path) -> None:
    welcome(exchange)
    send(exchange, b"x")
    task = received(exchange)
    send(exchange, b"y")
    exchange.close()
    assert exchange.task(0) is None, "what waited begins anew"
    welcome(exchange)
    exchange.received(task, baseline_pb2.OUTCOME_TAKEN)
    assert outcomes(exchange) == []
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [task.file]


def test_revocations_go_first_and_all_is_bounded(exchange: Exchange, tmp_path: Path) -> None:
    welcome(exchange)
    for number in range(MAX_WHOLES + 2):
        send(exchange, b"x%d" % number)
    assert [reason for _outcome, reason in outcomes(exchange)] == ["too many at the same time"] * 2
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == MAX_WHOLES
    for _ in range(MAX_TASKS):
        hear(exchange, revocation=baseline_pb2.Revocation(name=NAME, version=VERSION))
    assert [reason for _outcome, reason in outcomes(exchange)] == ["too many at the same time"] * MAX_WHOLES
    first = received(exchange)
    assert first.revocation is not None
    assert first.outcome.revocation


def test_an_envelope_has_a_bound(exchange: Exchange) -> None:
    welcome(exchange)
    large = baseline_pb2.Revocation(name=NAME, version=VERSION, envelope=b"x" * (MAX_ENVELOPE + 1))
    hear(exchange, revocation=large)
    ((outcome, reason),) = outcomes(exchange)
    assert outcome == baseline_pb2.OUTCOME_REFUSED
    assert "envelope" in reason


def test_what_another_agent_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "1").write_bytes(zlib.compress(b"x"))
    Incoming(str(tmp_path)).clear()
    assert list((tmp_path / "incoming").iterdir()) == []
    Incoming(str(tmp_path / "none")).clear()


# --- together with deviations -----------------------------------------------------------------------------------------


def test_deviations_go_before_pieces(exchange: Exchange) -> None:
    source = Backlog(pb.Hello(node="node-a"), 100, exchange=exchange)
    stream = source.open()
    assert next(stream).HasField("hello")
    source.hear(pb.ReportResponse(welcome=pb.Welcome(takes_baselines=True)))
    exchange.offer(in_use())
    want(exchange)
    exchange.uploaded(Upload(NAME, VERSION, 3), b"x" * (PART_BYTES + 1))
    source.put(deviation())
    assert [next(stream).WhichOneof("message") for _ in range(3)] == ["batch", "baselines_in_use", "baseline_part"]
    source.put(deviation())
    assert [next(stream).WhichOneof("message") for _ in range(2)] == ["batch", "baseline_part"]


def test_an_agent_that_ends_sends_deviations_and_no_baselines(exchange: Exchange) -> None:
    source = Backlog(pb.Hello(node="node-a"), 100, exchange=exchange)
    stream = source.open()
    next(stream)
    source.hear(pb.ReportResponse(welcome=pb.Welcome(takes_baselines=True)))
    exchange.offer(in_use())
    source.put(deviation())
    source.finish()
    assert [one.WhichOneof("message") for one in stream] == ["goodbye", "batch"]


def test_a_lost_connection_drops_what_was_half_said(exchange: Exchange, tmp_path: Path) -> None:
    source = Backlog(pb.Hello(node="node-a"), 100, exchange=exchange)
    source.open()
    source.hear(pb.ReportResponse(welcome=pb.Welcome(takes_baselines=True)))
    source.hear(pb.ReportResponse(baseline_part=piece()))
    assert len(list((tmp_path / "incoming").iterdir())) == 1
    source.close()
    assert list((tmp_path / "incoming").iterdir()) == []
