"""JSON somebody else wrote: any encoding, within bounds, errors name the place."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.inventory import jsondoc
from driftline.baseline.inventory.jsondoc import parse_json, read_file
from driftline.baseline.inventory.schema import InventoryError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_it_reads_what_json_reads_in_any_unicode_encoding(value: object, encoding: str) -> None:
    assert parse_json(json.dumps([value]).encode(encoding), "x") == [value]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        said = str(parse_json(data, "x"))[:0]
    except InventoryError as error:
        said = str(error)
    assert said[:3] in ("", "x: ")


def test_a_key_that_is_there_twice_is_refused_with_its_place() -> None:
    data = b'{"components": [{"name": "a"},\n {"name": "b, c", "x": [1, {}],\n "name": "d"}]}'
    with pytest.raises(InventoryError, match=r"x: components\[1\]\.name \(line 3\): the key is there twice"):
        parse_json(data, "x")


def test_a_key_written_twice_in_two_ways_is_the_same_key() -> None:
    with pytest.raises(InventoryError, match=r"x: name \(line 1\)"):
        parse_json(rb'{"name": 1, "\u006eame": 2}', "x")


@pytest.mark.parametrize("shape", ['{"components":', "["])
def test_deep_nesting_is_refused_in_no_time(shape: str) -> None:
    started = time.process_time()
    with pytest.raises(InventoryError, match=r"nested too deeply"):
        parse_json(shape.encode() * 100_000, "x")
    assert time.process_time() - started < 5


def test_many_objects_are_refused_before_they_take_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsondoc, "MAX_CONTAINERS", 10)
    with pytest.raises(InventoryError, match="over 10 objects and lists"):
        parse_json(b"[" + b"[]," * 10 + b"[]]", "x")


def test_a_huge_string_is_read_in_no_time_even_on_the_slow_way() -> None:
    started = time.process_time()
    with pytest.raises(InventoryError, match="twice"):
        parse_json(b'{"a": "' + b'x\\"' * 5_000_000 + b'", "b": 1, "b": 2}', "x")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a": 1', "line 1, column 8"),
        (b"\xff\xfe\xff", "byte 2: not utf-16"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "4300"),
        (b"", "line 1, column 1"),
        (b'"\xff"', "byte 1: not utf-8"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(data: bytes, words: str) -> None:
    with pytest.raises(InventoryError, match=words):
        parse_json(data, "x")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=r"none.json cannot be read: No such file"):
        read_file(tmp_path / "none.json")
    with pytest.raises(InventoryError, match="cannot be read: Is a directory"):
        read_file(tmp_path)


def test_a_file_over_the_bound_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsondoc, "MAX_DOCUMENT", 3)
    path = tmp_path / "large.json"
    path.write_text("[  ]")
    with pytest.raises(InventoryError, match="over 3 bytes"):
        read_file(path)
