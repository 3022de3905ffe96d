"""The store: whole files or none, bad ones set aside and told, errors as StateError."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from driftline.baseline.schema import Baseline
from driftline.baseline.store import BAD, MSGPACK, YAML, BaselineStore, directory_name
from driftline.baseline.yamltext import from_yaml
from driftline.errors import StateError
from unit.baseline.documents import small
from unit.baseline.making import hostile_text


def only(store: BaselineStore) -> Baseline | StateError:
    (found,) = store.load()
    return found


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    store = BaselineStore(str(tmp_path / "state"))
    assert list(store.load()) == []
    first, second = small(), replace(small(), key="container:/default/ x", image="\udcff")
    store.save(first)
    store.save(second)
    store.save(replace(first, losses=9))
    found = {baseline.key: baseline for baseline in store.load() if isinstance(baseline, Baseline)}
    assert found == {first.key: replace(first, losses=9), second.key: second}
    directory = store.root / "sha256-11"
    assert sorted(os.listdir(directory)) == [MSGPACK, YAML]
    assert from_yaml((directory / YAML).read_text()) == replace(first, losses=9)


@given(hostile_text, hostile_text)
def test_directory_names_are_safe_and_differ(one: str, other: str) -> None:
    name = directory_name(one)
    assert name not in {"", ".", ".."}
    assert "/" not in name
    assert "\0" not in name
    assert len(os.fsencode(name)) < 200
    assert (directory_name(other) == name) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [("a:b", "a-b"), ("a:b-c", "a-b:c"), ("sha256:" + "a" * 64, "sha256:" + "a" * 65), (":x", "-x")]
)
def test_similar_keys_do_not_share_a_directory(one: str, other: str) -> None:
    assert directory_name(one) != directory_name(other)


def test_a_bad_file_is_set_aside_and_told(tmp_path: Path) -> None:
    store = BaselineStore(str(tmp_path))
    store.save(small())
    path = store.root / "sha256-11" / MSGPACK
    path.write_bytes(path.read_bytes()[:-1])
    error = only(store)
    assert isinstance(error, StateError)
    assert str(path) in str(error)
    assert "set aside" in str(error)
    assert path.with_name(MSGPACK + BAD).exists()
    assert list(store.load()) == []


def test_a_baseline_in_the_wrong_directory_is_set_aside(tmp_path: Path) -> None:
    store = BaselineStore(str(tmp_path))
    store.save(small())
    (store.root / "sha256-11").rename(store.root / "sha256-22")
    assert "does not belong" in str(only(store))


def test_a_fifo_or_link_in_the_place_of_a_file_neither_blocks_nor_leads_away(tmp_path: Path) -> None:
    store = BaselineStore(str(tmp_path))
    store.save(small())
    path = store.root / "sha256-11" / MSGPACK
    path.unlink()
    os.mkfifo(path)
    assert isinstance(only(store), StateError)
    os.mkdir(store.root / "sha256-33")
    (store.root / "sha256-33" / MSGPACK).symlink_to("/etc/hostname")
    assert all(isinstance(found, StateError) for found in store.load())


def test_a_state_directory_that_cannot_be_written_is_a_state_error(tmp_path: Path) -> None:
    (tmp_path / "baselines").write_text("a file, not a directory")
    store = BaselineStore(str(tmp_path))
    with pytest.raises(StateError, match="cannot save the baseline of sha256:11"):
        store.save(small())
    assert isinstance(only(store), StateError)


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = BaselineStore(str(tmp_path))
    store.save(small())

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match="No space left"):
        store.save(replace(small(), losses=77))
    assert only(store) == small()
    assert sorted(os.listdir(store.root / "sha256-11")) == [MSGPACK, YAML]
