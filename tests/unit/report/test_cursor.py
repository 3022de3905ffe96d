"""The cursor is read as it was written, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.report import cursor
from driftline.report.clock import Moment
from driftline.report.cursor import CURSOR_BYTES, Cursor
from driftline.report.spool import ISLANDS

SAMPLE = Cursor([(0, 41), (50, 60)], 77, Moment(1234, "boot", 99))


@pytest.mark.parametrize("sync", [False, True])
def test_what_was_saved_is_loaded(tmp_path: Path, sync: bool) -> None:
    assert cursor.load(tmp_path) is None
    cursor.save(tmp_path, SAMPLE, sync)
    assert cursor.load(tmp_path) == SAMPLE
    assert [path.name for path in tmp_path.iterdir()] == ["cursor"]


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path: Path) -> None:
    cursor.save(tmp_path, SAMPLE, False)
    path = tmp_path / cursor.NAME
    good = path.read_bytes()
    for place in range(8 * len(good)):
        bad = bytearray(good)
        bad[place // 8] ^= 1 << place % 8
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="checksum"):
            cursor.load(tmp_path)
    for cut in range(len(good)):
        path.write_bytes(good[:cut])
        with pytest.raises(ValueError, match="checksum"):
            cursor.load(tmp_path)


def test_the_largest_cursor_fits(tmp_path: Path) -> None:
    islands = [(2**60 + 4 * index, 2**60 + 4 * index + 1) for index in range(2 * ISLANDS)]
    largest = Cursor(islands, 2**62, Moment(2**40, "b" * 36, 2**40))
    cursor.save(tmp_path, largest, False)
    assert (tmp_path / cursor.NAME).stat().st_size < CURSOR_BYTES
    assert cursor.load(tmp_path) == largest
