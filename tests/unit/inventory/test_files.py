"""The table of files: finds what a dict would find, in few bytes, and refuses columns that contradict each other."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.inventory.files import FileTable, columns, from_columns, table
from driftline.baseline.inventory.schema import DIGEST_SIZES, Recorded

paths = st.binary(min_size=1, max_size=12).map(lambda data: "/" + os.fsdecode(data.replace(b"\0", b"x")))


@st.composite
def records(draw: st.DrawFn) -> Recorded:
    algorithm = draw(st.sampled_from(["", *DIGEST_SIZES]))
    size = DIGEST_SIZES.get(algorithm, 0)
    digest = draw(st.binary(min_size=size, max_size=size))
    return Recorded(
        draw(st.integers(0, 9)), algorithm, digest, draw(st.sampled_from(["dpkg", "rpm"])), draw(st.booleans())
    )


@given(st.dictionaries(paths, records(), max_size=30), paths)
def test_it_finds_what_a_dict_would_find(files: dict[str, Recorded], other: str) -> None:
    found = from_columns(columns(table(files)), 10)
    assert dict(found) == files
    assert {path: found.find(path) for path in files} == files
    assert found.find(other) == files.get(other)


def test_an_empty_table_finds_nothing() -> None:
    assert FileTable().find("/bin/sh") is None
    assert len(from_columns(columns(FileTable()), 0)) == 0


def test_100_000_files_take_less_than_20_megabytes() -> None:
    names = (f"/usr/lib/python3/dist-packages/package{number % 997}/file{number}.py" for number in range(100_000))
    found = table(
        {name: Recorded(number % 997, "sha256", bytes(32), "dpkg", False) for number, name in enumerate(names)}
    )
    assert len(found) == 100_000
    assert sum(sys.getsizeof(getattr(found, column)) for column in FileTable.__slots__) < 20_000_000


SHA = Recorded(1, "sha256", bytes(32), "dpkg", False)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("ends", b"\1\0\0", "whole numbers"),
        ("ends", b"\5\0\0\0\3\0\0\0", "out of order"),
        ("owners", b"\1\0\0\0\2\0\0\0", "points nowhere"),
        ("kinds", b"\4", "different length"),
        ("kinds", b"\x7f\4", "unknown algorithm"),
        ("by", b"\0\1", "points nowhere"),
        ("digests", b"", "wrong length"),
        ("paths", b"/a/a/b"[:5], "out of order"),
        ("paths", b"/b/a", "out of order"),
    ],
)
def test_columns_that_contradict_each_other_are_refused(column: str, value: bytes, words: str) -> None:
    values: dict[str, Any] = columns(table({"/a": SHA, "/b": SHA}))
    values[column] = value
    with pytest.raises(ValueError, match=words):
        from_columns(values, 2)


@pytest.mark.parametrize(("column", "value"), [("names", "dpkg"), ("paths", "text"), ("names", [1])])
def test_columns_of_another_type_are_refused(column: str, value: object) -> None:
    with pytest.raises(TypeError, match=column):
        from_columns({**columns(table({"/a": SHA})), column: value}, 2)
