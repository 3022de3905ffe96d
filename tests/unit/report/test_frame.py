"""Frames: what is damaged is never taken for an entry, and what is whole is always found."""

from __future__ import annotations

import random
import struct
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.packing import pack
from driftline.report.frame import BODY_BYTES, MARK, OVERHEAD_BYTES, Entry, encode, scan
from driftline.wire.service import DEVIATION_BYTES

SALT = 0x5EED
LARGEST = Entry(2**63, 4, 2**40, "x" * 36, b"p" * DEVIATION_BYTES)

entries = st.lists(
    st.builds(
        Entry,
        st.integers(1, 2**63),
        st.integers(0, 4),
        st.integers(0, 2**40),
        st.text(max_size=40).filter(lambda text: text.isascii()),
        st.binary(max_size=200),
    ),
    min_size=1,
    max_size=6,
)


def frames(kept: list[Entry]) -> list[bytes]:
    return [encode(entry, SALT) for entry in kept]


@given(entries)
def test_what_goes_in_comes_out(kept: list[Entry]) -> None:
    written = frames(kept)
    found = scan(b"".join(written), SALT)
    assert found.entries == kept
    assert (found.damaged, found.torn, found.end) == (0, 0, sum(map(len, written)))


@given(entries)
def test_cut_at_any_byte_everything_before_is_kept_and_the_cut_is_told(kept: list[Entry]) -> None:
    written = frames(kept)
    data = b"".join(written)
    ends = [0]
    for frame in written:
        ends.append(ends[-1] + len(frame))
    for cut in range(len(data)):
        found = scan(data[:cut], SALT)
        whole = max(index for index, end in enumerate(ends) if end <= cut)
        assert found.entries == kept[:whole]
        assert (found.end, found.torn, found.damaged) == (ends[whole], cut - ends[whole], 0)


@settings(max_examples=300)
@given(entries, st.randoms(use_true_random=False), st.integers(1, 40))
def test_flipped_bits_never_make_a_wrong_entry(kept: list[Entry], chance: random.Random, flips: int) -> None:
    written = frames(kept)
    data, hit = bytearray(b"".join(written)), set()
    owners = [index for index, frame in enumerate(written) for _ in frame]
    for _ in range(flips):
        place = chance.randrange(len(data))
        data[place] ^= 1 << chance.randrange(8)
        hit.add(place)
    original = b"".join(written)
    broken = {owners[place] for place in hit if data[place] != original[place]}
    found = scan(bytes(data), SALT)
    assert found.entries == [entry for index, entry in enumerate(kept) if index not in broken]
    assert bool(found.damaged or found.torn) == bool(broken)


@given(st.binary(max_size=2000))
def test_any_bytes_hold_no_entry_by_chance(noise: bytes) -> None:
    found = scan(MARK + noise, SALT)
    assert found.entries == []
    assert found.torn == len(noise) + len(MARK)


def test_a_frame_planted_inside_an_entry_is_not_read_when_the_entry_is_damaged() -> None:
    """An attacker who knows the format does not know the salt."""
    forged = encode(Entry(9, 0, 0, "forged", b""), 0)
    data = bytearray(encode(Entry(1, 4, 0, "real", forged), SALT))
    data[5] ^= 1
    assert scan(bytes(data), SALT).entries == []


def test_a_good_checksum_over_something_else_is_no_entry() -> None:
    """A later version might write other bodies under this mark: they are passed over, not believed."""
    good = encode(Entry(1, 4, 0, "a", b"p"), SALT)
    no_sequence, no_severity, no_id = [0, 4, 0, "a", b"p"], [1, 5, 0, "a", b"p"], [1, 4, 0, b"a", b"p"]
    for strange in ([1, 2], {"a": 1}, no_sequence, no_severity, no_id, [True, 4, 0, "a", b""]):
        body = pack(strange)
        length = struct.pack("<I", len(body))
        frame = MARK + length + struct.pack("<I", crc32(body, crc32(length, SALT))) + body
        assert [entry.id for entry in scan(frame + good, SALT).entries] == ["a"]


def test_the_largest_deviation_fits_and_nothing_larger() -> None:
    assert len(encode(LARGEST, SALT)) <= DEVIATION_BYTES + OVERHEAD_BYTES
    with pytest.raises(ValueError, match="at most"):
        encode(LARGEST._replace(payload=b"p" * BODY_BYTES), SALT)
