"""SBOMs in a directory are found by the image's digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.baseline.inventory.directory import sbom_of
from driftline.baseline.inventory.schema import InventoryError
from unit.inventory.roots import fill

HEX = "a" * 64
IMAGE = f"sha256:{HEX}"


@pytest.mark.parametrize("name", ["json", "cdx.json", "spdx.json", "intoto.jsonl"])
def test_it_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    fill(tmp_path, {f"sha256-{HEX}.{name}": "", f"sha256-{'b' * 64}.json": "", f"sha256-{HEX}.txt": ""})
    assert sbom_of(tmp_path, IMAGE) == tmp_path / f"sha256-{HEX}.{name}"


def test_of_several_the_first_by_name(tmp_path: Path) -> None:
    fill(tmp_path, {f"sha256-{HEX}.spdx.json": "", f"sha256-{HEX}.cdx.json": ""})
    assert sbom_of(tmp_path, IMAGE) == tmp_path / f"sha256-{HEX}.cdx.json"


def test_none(tmp_path: Path) -> None:
    assert sbom_of(tmp_path, IMAGE) is None
    assert sbom_of(tmp_path, "") is None


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be read: No such file"):
        sbom_of(tmp_path / "none", IMAGE)
