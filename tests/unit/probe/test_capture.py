"""Captures: what was written comes back, and nothing else is taken for one."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import RecordError
from driftline.probe.capture import HEAD, MAGIC, RECORD_BYTES, VERSION, CaptureWriter, read_capture
from driftline.probe.layout import ABI

RECORDS = [b"one", b"two" * 1000, bytes(range(256))]


def written(path: Path, records: list[bytes]) -> Path:
    writer = CaptureWriter(path)
    writer.write(records[:1])
    writer.write(records[1:])
    writer.close()
    return path


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, records: list[bytes]) -> None:
    assert list(read_capture(written(tmp_path_factory.mktemp("cap") / "a", records))) == records


def test_a_torn_end_names_its_place(tmp_path: Path) -> None:
    path = written(tmp_path / "a", RECORDS)
    whole = path.read_bytes()
    ends = [HEAD.size]
    for record in RECORDS:
        ends.append(ends[-1] + 4 + len(record))
    for length in range(HEAD.size, len(whole), 41):
        path.write_bytes(whole[:length])
        if length in ends:
            assert len(list(read_capture(path))) == ends.index(length)
            continue
        number = sum(end <= length for end in ends) - 1
        records = read_capture(path)
        assert [next(records) for _ in range(number)] == RECORDS[:number], "what came before the tear is good"
        with pytest.raises(RecordError, match=f"torn at record {number}, byte {length}"):
            next(records)


def test_a_length_beyond_any_record_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(HEAD.pack(MAGIC, VERSION, ABI) + struct.pack("<I", RECORD_BYTES + 1) + bytes(RECORD_BYTES + 1))
    with pytest.raises(RecordError, match="torn at record 0"):
        list(read_capture(path))


@pytest.mark.parametrize("head", [b"", b"DRIFTCAP", b"\x7fELF" + bytes(60)])
def test_another_file_is_refused(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a").write_bytes(head)
    with pytest.raises(RecordError, match="is not a capture"):
        list(read_capture(tmp_path / "a"))


@pytest.mark.parametrize(("version", "abi"), [(VERSION + 1, ABI), (VERSION, ABI + 1), (VERSION, ABI - 1)])
def test_another_version_is_refused_with_advice(tmp_path: Path, version: int, abi: int) -> None:
    (tmp_path / "a").write_bytes(HEAD.pack(MAGIC, version, abi))
    with pytest.raises(RecordError, match="replay it with the driftline that wrote it"):
        list(read_capture(tmp_path / "a"))
