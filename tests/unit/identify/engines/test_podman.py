"""Podman's storage on disk, in the form containers/storage writes it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from driftline.errors import EngineError
from driftline.identify.engines import Answer, EngineAbsent, podman
from driftline.identify.engines.podman import Podman

ID = "4f0c" * 16
IMAGE = "9d3e" * 16
DIGEST = "sha256:" + "cd" * 32


def container(**changes: Any) -> dict[str, Any]:
    metadata = json.dumps({"image-name": "localhost/web:1", "image-id": IMAGE, "name": "shop"})
    return {"id": ID, "names": ["shop"], "image": IMAGE, "layer": "aa", "metadata": metadata, **changes}


def write(path: Path, rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    write(tmp_path / "overlay-images/images.json", [{"id": IMAGE, "digest": DIGEST, "names": ["localhost/web:1"]}])
    write(tmp_path / "overlay-containers/containers.json", [container()])
    return tmp_path


def test_a_container_is_found_with_its_images_digest(storage: Path) -> None:
    assert Podman(str(storage)).look_up(ID, 1.0) == Answer("podman", "shop", "localhost/web:1", DIGEST)
    assert Podman(str(storage)).look_up("00" * 32, 1.0) is None


def test_containers_that_are_not_kept_are_found_too(storage: Path) -> None:
    other = "77" * 32
    write(storage / "overlay-containers/volatile-containers.json", [container(id=other, names=["once"])])
    answer = Podman(str(storage)).look_up(other, 1.0)
    assert answer is not None
    assert answer.name == "once"


def test_other_storage_drivers_have_other_names(tmp_path: Path) -> None:
    write(tmp_path / "vfs-containers/containers.json", [container(names=None, metadata="")])
    assert Podman(str(tmp_path)).look_up(ID, 1.0) == Answer("podman", ID, "", "")


def test_a_change_is_seen(storage: Path) -> None:
    engine = Podman(str(storage))
    assert engine.look_up("77" * 32, 1.0) is None
    temporary = storage / "new.json"
    write(temporary, [container(), container(id="77" * 32)])
    os.replace(temporary, storage / "overlay-containers/containers.json")
    assert engine.look_up("77" * 32, 1.0) is not None


def test_no_storage_is_absent(tmp_path: Path) -> None:
    with pytest.raises(EngineAbsent):
        Podman(str(tmp_path / "none")).look_up(ID, 1.0)


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "[1]", '[{"id": 1, "layer": "x", "image": 2, "metadata": "{"}]'])
def test_nonsense_is_an_engine_error(storage: Path, content: str) -> None:
    (storage / "overlay-containers/containers.json").write_text(content)
    with pytest.raises(EngineError):
        Podman(str(storage)).look_up(ID, 1.0)


def test_a_huge_file_is_refused(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podman, "MAX_FILE_BYTES", 100)
    with pytest.raises(EngineError, match="100 bytes"):
        Podman(str(storage)).look_up(ID, 1.0)


def test_an_empty_or_digestless_image_gives_no_digest(storage: Path) -> None:
    write(storage / "overlay-images/images.json", [{"id": IMAGE, "digest": "sha256:short"}])
    answer = Podman(str(storage)).look_up(ID, 1.0)
    assert answer is not None
    assert answer.image_digest == ""
