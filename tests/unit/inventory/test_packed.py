"""An inventory on disk is the same afterwards; a damaged one is told, never believed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from driftline.baseline.inventory import packed
from driftline.baseline.inventory.making import make
from driftline.baseline.inventory.packed import MAX_FILE, from_bytes, load, path_of, save, to_bytes
from driftline.baseline.inventory.schema import InventoryError
from driftline.packing import pack, unpack
from unit.inventory.roots import debian

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    root = debian(tmp_path / "root", **{"/app/node_modules/é/package.json": '{"name": "é", "version": "1"}'})
    return to_bytes(make(root, None, DIGEST).inventory)


def test_it_is_the_same_after_a_round_trip(data: bytes) -> None:
    found = from_bytes(data)
    assert to_bytes(found) == data
    assert found.image == DIGEST
    assert [package.name for package in found.packages] == ["curl", "é"]
    assert found.owner("/usr/bin/curl") == found.packages[0]
    assert found.owner("/app/node_modules/é/index.js") == found.packages[1]


def test_it_is_kept_under_its_image(tmp_path: Path, data: bytes) -> None:
    path = path_of(str(tmp_path), DIGEST)
    assert load(path) is None
    save(from_bytes(data), path)
    kept = load(path)
    assert kept is not None
    assert to_bytes(kept) == data
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_only_the_last_made_are_kept(tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MAX_STORED", 3)
    paths = [path_of(str(tmp_path), f"sha256:{number}") for number in range(5)]
    for number, path in enumerate(paths):
        save(from_bytes(data), path)
        os.utime(path, (number, number))
    assert [path.exists() for path in paths] == [False, False, True, True, True]


def test_every_flipped_byte_is_noticed(data: bytes) -> None:
    for place in range(0, len(data), 97):
        with pytest.raises(ValueError, match="digest"):
            from_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1},
        {"executables": 7},
        {"packages": 3},
        {"packages": [[b"a"]]},
        {"trees": [[b"/a", 9]]},
        {"files": {}},
        {"files": None},
    ],
)
def test_malformed_content_is_refused_whatever_its_digest(data: bytes, change: dict[str, Any]) -> None:
    document: Any = unpack(data[32:], MAX_FILE)
    content = pack(document | change)
    with pytest.raises(ValueError, match=r"format|malformed|number|Not|unpack"):
        from_bytes(hashlib.sha256(content).digest() + content)


def test_a_damaged_file_is_told(tmp_path: Path, data: bytes) -> None:
    path = path_of(str(tmp_path), DIGEST)
    path.parent.mkdir()
    path.write_bytes(data[:-1])
    with pytest.raises(InventoryError, match=r"a{64}.msgpack is no inventory: not the digest"):
        load(path)


def test_a_place_that_cannot_be_written_is_told(data: bytes) -> None:
    with pytest.raises(InventoryError, match="cannot be written"):
        save(from_bytes(data), Path("/proc/nowhere/x.msgpack"))
