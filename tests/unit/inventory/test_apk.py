"""Alpine's database."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.inventory.apk import _Reader, read_apk
from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import Package
from unit.inventory.roots import EMPTY_SHA1, INSTALLED, Q1, fill


def drafted(root: Path) -> Draft:
    draft = Draft("x")
    with Root(root) as opened:
        assert read_apk(opened, draft)
    return draft


def test_packages_and_files(tmp_path: Path) -> None:
    fill(tmp_path, {"/usr/lib/apk/db/installed": INSTALLED, "/etc/os-release": "ID=alpine"})
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "bin").symlink_to("usr/bin")
    draft = drafted(tmp_path)
    assert [package.name for package in draft.packages] == ["busybox", "virtual", "web"]
    purl = "pkg:apk/alpine/busybox@1.35.0-r17?arch=x86_64"
    assert draft.packages[0] == Package("busybox", "1.35.0-r17", "apk", purl, "apk")
    assert {path: (one.owner, one.algorithm, one.config) for path, one in draft.files.items()} == {
        "/usr/bin/busybox": (0, "sha1", False),
        "/etc/securetty": (0, "sha1", True),
        "/usr/bin/web": (2, "sha256", False),
        "/usr/bin/unsigned": (2, "", False),
    }
    assert draft.files["/usr/bin/busybox"].digest == EMPTY_SHA1


def test_the_last_package_needs_no_empty_line(tmp_path: Path) -> None:
    draft = drafted(fill(tmp_path, {"/lib/apk/db/installed": INSTALLED.rstrip() + f"\nZ:Q1{Q1}"}))
    assert draft.files["/usr/bin/unsigned"].algorithm == "sha1"


@given(st.binary(max_size=200) | st.text("PVAFRZ:\nQ1ab/.", max_size=200).map(str.encode))
def test_any_bytes_are_read(data: bytes) -> None:
    with Root("/var/empty" if Path("/var/empty").is_dir() else "/proc/self/fdinfo") as opened:
        draft = Draft("x")
        _Reader(opened, draft, "x").read(data)
    assert all(one.owner < len(draft.packages) for one in draft.files.values())
