"""The rpm database: one that rpm itself made, and headers that nobody would make but to harm."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.inventory import rpm
from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.rpmheader import tags
from driftline.baseline.inventory.schema import InventoryError, Package
from unit.inventory.roots import fill, rpm_database

PATH = "/var/lib/rpm/rpmdb.sqlite"
TINY = "e2c2f062b3709ef598a161db04d6e0b60d7a4ad9fbf868b0a236c7b722031384"  # "#!/bin/sh\necho tiny\n"


def drafted(root: Path) -> Draft:
    draft = Draft("x")
    with Root(root) as opened:
        rpm.read_rpm(opened, draft)
    return draft


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("rpm") / "rpmdb.sqlite"
    path.write_bytes(rpm_database())
    with contextlib.closing(sqlite3.connect(path)) as database:
        ((blob,),) = database.execute("SELECT blob FROM Packages")
    return bytes(blob)


def test_a_database_rpm_made(tmp_path: Path) -> None:
    """The link, the directory and the ghost in the package are no files it ships."""
    draft = drafted(fill(tmp_path, {PATH: rpm_database(), "/etc/os-release": 'ID="rocky"'}))
    purl = "pkg:rpm/rocky/tiny@1.2-3?arch=noarch&epoch=4"
    assert draft.packages == [Package("tiny", "4:1.2-3", "rpm", purl, "rpm")]
    assert {path: (one.algorithm, one.config) for path, one in draft.files.items()} == {
        "/usr/bin/tiny": ("sha256", False),
        "/etc/tiny.conf": ("sha256", True),
    }
    assert draft.files["/usr/bin/tiny"].digest.hex() == TINY
    assert not draft.left_out


def test_the_image_is_not_written_to(tmp_path: Path) -> None:
    fill(tmp_path, {PATH: rpm_database()})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    drafted(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["Packages", "Packages.db"])
def test_an_older_form_is_named(tmp_path: Path, name: str) -> None:
    draft = drafted(fill(tmp_path, {f"/var/lib/rpm/{name}": b"\0" * 100}))
    assert [(one.place, "not read" in one.why) for one in draft.left_out] == [(f"/var/lib/rpm/{name}", True)]


@pytest.mark.parametrize("data", [b"", b"SQLite format 3\0" + b"\xff" * 4_096, b"noise" * 1_000])
def test_what_is_no_database_is_told(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InventoryError, match=r"rpmdb.sqlite: .*\n  try: it is no rpm database"):
        drafted(fill(tmp_path, {PATH: data}))


def test_a_table_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpm, "QUERY_SECONDS", 0.2)
    path = tmp_path / "endless"
    with contextlib.closing(sqlite3.connect(path)) as database:
        endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
        database.execute(f"CREATE VIEW Packages AS {endless} SELECT x AS hnum, CAST(x AS BLOB) AS blob FROM n")
    with pytest.raises(InventoryError, match="interrupted"):
        drafted(fill(tmp_path / "root", {PATH: path.read_bytes()}))


def test_a_package_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "changed"
    path.write_bytes(rpm_database())
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO Packages (hnum, blob) VALUES (99, x'00000001ffffffff')")
        database.commit()
    draft = drafted(fill(tmp_path / "root", {PATH: path.read_bytes()}))
    assert [package.name for package in draft.packages] == ["tiny"]
    assert [one.place for one in draft.left_out] == [f"{PATH}: package 2"]


@given(st.data())
def test_a_header_with_changed_bytes_is_read_or_refused(header: bytes, data: st.DataObject) -> None:
    changed = bytearray(header)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, min(len(header), 1_600) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        list(rpm._files(tags(bytes(changed), rpm._WANTED)))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ((1000, 6, 99, 1), "past the end"),
        ((1000, 6, 0, 1), "without an end"),
        ((1000, 8, 0, 2**32 - 1), "past the end"),
        ((1000, 4, 0, 2**32 - 1), "past the end"),
        ((1000, 77, 0, 1), "unknown type 77"),
    ],
)
def test_numbers_in_a_header_are_checked(entry: tuple[int, int, int, int], words: str) -> None:
    blob = struct.pack(">II", 1, 4) + struct.pack(">IIII", *entry) + b"abcd"
    with pytest.raises(ValueError, match=words):
        tags(blob, frozenset({1000}))
    assert tags(blob, frozenset()) == {}


@pytest.mark.parametrize("blob", [b"", b"\0" * 7, struct.pack(">II", 2**32 - 1, 0), struct.pack(">II", 0, 2**32 - 1)])
def test_a_header_shorter_than_it_says_is_refused(blob: bytes) -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        tags(blob, frozenset({1000}))
