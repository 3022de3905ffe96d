"""Baselines in pieces: whole again on the other side, and nothing kept that does not fit."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.wire.gen.driftline.v1 import baseline_pb2 as pb
from driftline.wire.pieces import Gathering, PieceError, Whole, deflate, inflate, parts
from driftline.wire.service import PART_BYTES, WHOLE_BYTES

FORM = pb.BASELINE_FORMAT_MSGPACK
BYTES = os.urandom(2 * PART_BYTES + 7)


def pieces(whole: bytes = BYTES, name: str = "sha256:aa") -> list[pb.BaselinePart]:
    """All pieces, as a peer reads them."""
    return [pb.BaselinePart.FromString(each.SerializeToString()) for each in parts(name, "v1", FORM, whole)]


@pytest.mark.parametrize(
    ("size", "count"), [(1, 1), (PART_BYTES, 1), (PART_BYTES + 1, 2), (2 * PART_BYTES, 2), (len(BYTES), 3)]
)
def test_comes_out_whole(size: int, count: int) -> None:
    gathering, sent = Gathering(), pieces(BYTES[:size])
    assert len(sent) == count
    found = [gathering.take(each) for each in sent]
    assert found == [None] * (count - 1) + [Whole("sha256:aa", "v1", FORM, BYTES[:size])]


def test_one_after_another_on_one_stream() -> None:
    gathering = Gathering()
    for name in ("sha256:aa", "sha256:bb", "sha256:aa"):
        last = [gathering.take(each) for each in pieces(name=name)][-1]
        assert last is not None
        assert last.name == name


def test_offset_0_begins_anew() -> None:
    """A sender that gave up half way."""
    gathering = Gathering()
    for each in pieces()[:2]:
        assert gathering.take(each) is None
    last = [gathering.take(each) for each in pieces(b"other")][-1]
    assert last is not None
    assert last.data == b"other"


@pytest.mark.parametrize("size", [0, WHOLE_BYTES + 1])
def test_what_no_peer_takes_is_not_sent(size: int) -> None:
    with pytest.raises(PieceError, match=str(size)):
        parts("n", "v", FORM, bytes(size))


Change = Callable[[list[pb.BaselinePart]], list[pb.BaselinePart]]


def _set(place: int, **values: object) -> Change:
    def change(sent: list[pb.BaselinePart]) -> list[pb.BaselinePart]:
        for name, value in values.items():
            setattr(sent[place], name, value)
        return sent

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda sent: sent[1:], "before the one at 0"),
        (lambda sent: [sent[0], sent[2]], "is next"),
        (lambda sent: [sent[0], sent[1], sent[1]], "is next"),
        (_set(1, name="sha256:bb"), "another baseline"),
        (_set(1, version="v2"), "another baseline"),
        (_set(1, size=len(BYTES) + 1), "another baseline"),
        (_set(1, format=pb.BASELINE_FORMAT_DSSE), "another baseline"),
        (_set(1, sha256=b"x"), "another baseline"),
        (_set(0, format=pb.BASELINE_FORMAT_UNSPECIFIED), "format 0"),
        (_set(0, format=77), "format 77"),
        (_set(0, size=0), "0 bytes"),
        (_set(0, size=WHOLE_BYTES + 1), f"{WHOLE_BYTES + 1} bytes"),
        (_set(0, size=3), f"a piece of {PART_BYTES} bytes at 0 of 3"),
        (_set(1, data=b""), "a piece of 0 bytes"),
        (_set(1, data=bytes(PART_BYTES + 1)), f"a piece of {PART_BYTES + 1} bytes"),
        (_set(2, data=b"1234567"), "digest"),
    ],
)
def test_what_does_not_fit_is_dropped(change: Change, says: str) -> None:
    """It is refused at the piece that shows it, and a stream can go on with the next baseline."""
    gathering = Gathering()
    with pytest.raises(PieceError, match=says):
        [gathering.take(each) for each in change(pieces())]
    with pytest.raises(PieceError, match="before the one at 0"):
        gathering.take(pieces()[1])
    assert [gathering.take(each) for each in pieces()][-1] is not None


@given(st.binary(max_size=2000), st.integers(0, 3000))
def test_inflate(data: bytes, limit: int) -> None:
    """As large as the limit and no larger."""
    if len(data) <= limit:
        assert inflate(deflate(data), limit) == data
    else:
        with pytest.raises(PieceError, match="more than"):
            inflate(deflate(data), limit)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "too early"),
        (b"no zlib", "not zlib"),
        (zlib.compress(b"x" * 5000)[:-5], "too early"),
        (zlib.compress(b"x") + b"yz", "2 bytes after"),
        (zlib.compress(bytes(50_000_000)), "more than 10000 bytes"),
    ],
)
def test_inflate_refuses(data: bytes, says: str) -> None:
    with pytest.raises(PieceError, match=says):
        inflate(data, 10_000)
