"""Debian's database, in the form of dpkg and in that of distroless images."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.inventory.dpkg import paragraphs, read_dpkg
from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.making import make
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import Package
from unit.inventory.roots import CURL, STATUS, debian, fill, md5


def drafted(root: Path) -> Draft:
    draft = Draft("x")
    with Root(root) as opened:
        assert read_dpkg(opened, draft)
    return draft


def test_packages_and_files(tmp_path: Path) -> None:
    draft = drafted(debian(tmp_path))
    assert draft.packages == [Package("curl", "7.88.1-10", "deb", "pkg:deb/debian/curl@7.88.1-10?arch=amd64", "dpkg")]
    assert {path: (one.digest.hex(), one.config) for path, one in draft.files.items()} == {
        "/usr/bin/curl": (md5(CURL), False),
        "/etc/curlrc": (md5("old"), True),
        "/var/lib/dpkg/info/curl.postinst": ("", False),
    }
    assert not draft.left_out


def test_no_database(tmp_path: Path) -> None:
    with Root(tmp_path) as opened:
        assert not read_dpkg(opened, Draft("x"))


def test_a_package_for_several_architectures_and_an_epoch(tmp_path: Path) -> None:
    status = "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.2-3\n"
    listed = {"/var/lib/dpkg/status": status, "/var/lib/dpkg/info/zlib1g:amd64.list": "/usr/lib/libz.so\n"}
    draft = drafted(fill(tmp_path, listed))
    assert draft.packages[0].purl == "pkg:deb/debian/zlib1g@1:1.2-3?arch=amd64"
    assert set(draft.files) == {"/usr/lib/libz.so"}


def test_a_diverted_file_is_where_it_was_moved_to(tmp_path: Path) -> None:
    diversions = "/usr/bin/curl\n/usr/bin/curl.real\nwrapper\n/etc/curlrc\n/etc/moved\ncurl\n"
    draft = drafted(debian(tmp_path, **{"/var/lib/dpkg/diversions": diversions}))
    assert {"/usr/bin/curl", "/etc/curlrc"} <= draft.files.keys()
    status = STATUS + "\n" + STATUS.replace("curl", "other").replace("removed", "gone")
    info = {"/var/lib/dpkg/info/other.list": "/etc/curlrc\n/usr/bin/curl\n", "/var/lib/dpkg/status": status}
    fill(tmp_path, {**info, "/var/lib/dpkg/diversions": diversions.replace("/bin/curl\n", "/bin/curl\n", 1)})
    draft = drafted(tmp_path)
    owners = {path: draft.packages[one.owner].name for path, one in draft.files.items()}
    assert owners["/etc/curlrc"] == "curl"
    assert owners["/etc/moved"] == "other"
    assert owners["/usr/bin/curl.real"] == "other"


def test_distroless(tmp_path: Path) -> None:
    directory = "/var/lib/dpkg/status.d"
    stanza = "Package: base-files\nVersion: 12\nArchitecture: amd64\n"
    sums = f"{md5('x')}  usr/bin/x\n"
    draft = drafted(fill(tmp_path, {f"{directory}/base": stanza, f"{directory}/base-files.md5sums": sums}))
    assert [package.name for package in draft.packages] == ["base-files"]
    assert draft.files["/usr/bin/x"].digest.hex() == md5("x")


def test_names_that_would_lead_elsewhere_and_sums_that_are_none(tmp_path: Path) -> None:
    status = STATUS + "\nPackage: ../../etc\nStatus: install ok installed\nVersion: 1\n"
    sums = "nothex  usr/bin/a\n\n" + md5("x") + "  ../../etc/passwd\n"
    root = debian(tmp_path, **{"/var/lib/dpkg/status": status, "/var/lib/dpkg/info/curl.md5sums": sums})
    draft = drafted(root)
    assert [(one.place, one.why) for one in draft.left_out] == [
        ("/var/lib/dpkg/info/curl.md5sums:1", "no digest and path"),
        ("/var/lib/dpkg/status:16", "its name has a slash"),
    ]
    assert not [path for path in draft.files if "passwd" in path]


@given(st.binary(max_size=300))
def test_any_bytes_are_paragraphs(data: bytes) -> None:
    for fields, line in paragraphs(b"Package: a\n" + data):
        assert fields
        assert line >= 1


@pytest.mark.parametrize("path", ["status", "info/curl.list", "info/curl.md5sums", "diversions"])
def test_any_file_of_it_may_be_noise(tmp_path: Path, path: str) -> None:
    root = debian(tmp_path, **{f"/var/lib/dpkg/{path}": bytes(range(256)) * 20})
    make(root)
