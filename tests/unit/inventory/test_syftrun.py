"""The real Syft, within its fence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driftline.baseline.inventory.making import make
from driftline.baseline.inventory.sbom import read_sbom
from driftline.baseline.inventory.schema import InventoryError
from driftline.baseline.inventory.syftrun import find_syft, run_syft
from unit.inventory.roots import CURL, EMPTY_SHA1, INSTALLED, debian, fill, md5, rpm_database


def test_it_says_what_the_databases_say(tmp_path: Path) -> None:
    more: dict[str, str | bytes] = {"/var/lib/rpm/rpmdb.sqlite": rpm_database(), "/lib/apk/db/installed": INSTALLED}
    root = debian(tmp_path / "root", **more)
    run_syft(root, tmp_path / "sbom.json")
    sbom = read_sbom(tmp_path / "sbom.json")
    assert sbom.format.startswith("Syft JSON")
    inventory = make(root, sbom).inventory
    assert {package.name: (package.database, package.in_sbom) for package in inventory.packages} == {
        "curl": ("dpkg", True),
        "tiny": ("rpm", True),
        "busybox": ("apk", True),
        "virtual": ("apk", True),
        "web": ("apk", True),
        "removed": ("", True),  # only its configuration files are left: Syft lists it all the same
    }
    assert not inventory.mismatches
    assert sbom.draft.files["/bin/curl"].digest.hex() == md5(CURL)
    assert sbom.draft.files["/bin/busybox"].digest == EMPTY_SHA1
    assert not sbom.draft.left_out


def test_it_does_not_leave_the_root(tmp_path: Path) -> None:
    outside = debian(tmp_path / "outside")
    root = fill(tmp_path / "root", {"/etc/os-release": "ID=debian\n"})
    (root / "var/lib").mkdir(parents=True)
    (root / "var/lib/dpkg").symlink_to(outside / "var/lib/dpkg")
    run_syft(root, tmp_path / "sbom.json")
    assert read_sbom(tmp_path / "sbom.json").draft.packages == []


def test_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=r"Syft took longer than 0.05 s"):
        run_syft(debian(tmp_path / "root"), tmp_path / "sbom.json", seconds=0.05)


def test_too_much_memory_is_told(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=r"Syft (failed|cannot be run)"):
        run_syft(debian(tmp_path / "root"), tmp_path / "sbom.json", memory=200 * 1024**2)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=r"Syft failed on .*none \(exit status 1\): .*none"):
        run_syft(tmp_path / "none", tmp_path / "sbom.json")


def test_without_syft_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(InventoryError, match=r"Syft is not installed\n  try: pip install 'driftline\[sbom\]'"):
        find_syft()
