"""Any bytes at all: an event or a RecordError, never anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.decode.record import DECODERS, decode
from driftline.errors import RecordError
from unit.decode import records


def try_decode(record: bytes) -> None:
    try:
        decode(record)
    except RecordError:
        pass


@given(st.binary(max_size=1024))
def test_random_bytes(data: bytes) -> None:
    try_decode(data)


@given(st.sampled_from([*DECODERS, 0, 7, 255]), st.binary(max_size=1024))
def test_random_bytes_after_a_right_header(kind: int, data: bytes) -> None:
    try_decode(records.header(kind) + data)


@given(st.sampled_from(sorted(records.ALL)), st.data())
def test_a_right_record_with_some_bytes_changed(name: str, data: st.DataObject) -> None:
    record = bytearray(records.ALL[name])
    for _ in range(data.draw(st.integers(1, 4))):
        record[data.draw(st.integers(4, len(record) - 1))] = data.draw(st.integers(0, 255))
    try_decode(bytes(record))


@pytest.mark.parametrize("name", records.ALL)
def test_every_truncation_is_refused(name: str) -> None:
    record = records.ALL[name]
    for length in range(len(record)):
        with pytest.raises(RecordError):
            decode(record[:length])
    decode(record)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RecordError, match="unknown kind 99"):
        decode(records.header(99))


def test_an_unknown_address_family_is_refused() -> None:
    with pytest.raises(RecordError, match="address family 40"):
        decode(records.connected(40, bytes(16)))
