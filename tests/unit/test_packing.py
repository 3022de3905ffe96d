"""msgpack in and out, and nothing but ValueError for bad bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.packing import pack, unpack

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.binary(max_size=3), inner, max_size=3),
)


@given(values)
def test_round_trip(value: object) -> None:
    assert unpack(pack(value), 1 << 20) == value


@given(st.binary(max_size=30))
def test_any_bytes_give_a_value_or_value_error(data: bytes) -> None:
    try:
        unpack(data, 30)
    except ValueError:
        return


def test_too_long_and_trailing_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 2"):
        unpack(pack("abc"), 2)
    with pytest.raises(ValueError, match="extra"):
        unpack(pack(1) + b"\x01", 10)


@pytest.mark.parametrize(
    "data",
    [
        b"\x93\x90\x90\x90",
        b"\x93\x80\x80\x80",
        b"\xdd\x00\x00\x00\x04" + b"\xc0" * 4,
        pack({str(number): None for number in range(1_001)}),
        b"\xdf\xff\xff\xff\xff",
    ],
)
def test_many_small_things_in_few_bytes_are_refused_where_they_are_counted(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"lists and maps|exceeds|not msgpack"):
        unpack(data, 10_000_000, 3)


def test_as_many_as_allowed_pass() -> None:
    assert unpack(pack([[], {}]), 100, 3) == [[], {}]
