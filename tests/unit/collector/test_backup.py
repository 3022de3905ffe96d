"""Backup and restore: whole, checked, never over anything, never half."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from driftline.errors import SettingsError, StateError
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import backup as backup_module
from driftline_collector.backup import backup, restore
from driftline_collector.filters import DeviationFilter
from driftline_collector.store_sqlite import SqliteStore
from unit.collector.test_migrate import SCHEMA_1
from unit.wire import samples

EVERYTHING = DeviationFilter(pb.DeviationFilter())


def fill(store: SqliteStore, *ids: str) -> None:
    store.commit([deviation_to_wire(samples.deviation(id=id)) for id in ids], [])


def ids(state: Path) -> list[str]:
    store = SqliteStore(state)
    found = [item.deviation.id for item in store.forward(EVERYTHING, 0, store.revision, 100_000).deviations]
    store.close()
    return found


def state(directory: Path, *ids: str) -> Path:
    """A closed store that holds ``ids``."""
    store = SqliteStore(directory)
    fill(store, *ids)
    store.close()
    return directory


def test_a_backup_of_a_store_in_use_holds_what_was_committed_and_blocks_nobody(tmp_path: Path) -> None:
    store, ended, count = SqliteStore(tmp_path / "state"), threading.Event(), 0
    fill(store, *(f"before-{i}" for i in range(2000)))

    def copy() -> None:
        backup(tmp_path / "state", tmp_path / "copy")
        ended.set()

    thread = threading.Thread(target=copy)
    thread.start()
    while not ended.is_set():
        fill(store, f"meanwhile-{count}")
        count += 1
    thread.join()
    store.close()
    restore(tmp_path / "copy", tmp_path / "other")
    found = ids(tmp_path / "other")
    assert found[:2000] == [f"before-{i}" for i in range(2000)]
    assert found[2000:] == [f"meanwhile-{i}" for i in range(len(found) - 2000)]
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "other", "state"]


def test_a_restored_store_is_another_one_and_the_old_is_kept(tmp_path: Path) -> None:
    here = state(tmp_path / "state", "a", "b")
    backup(here, tmp_path / "copy")
    store = SqliteStore(here)
    fill(store, "c")
    old = store.store_id
    store.close()
    kept = restore(tmp_path / "copy", here)
    assert ids(here) == ["a", "b"]
    store = SqliteStore(here)
    assert store.store_id != old
    store.close()
    assert kept is not None
    kept.rename(here / "collector.db")
    assert ids(here) == ["a", "b", "c"]


def test_a_restore_replaces_even_a_damaged_store_and_its_log(tmp_path: Path) -> None:
    here = state(tmp_path / "state", "a")
    backup(here, tmp_path / "copy")
    (here / "collector.db").write_bytes(b"damaged" * 1000)
    (here / "collector.db-wal").write_bytes(b"stale log" * 1000)
    kept = restore(tmp_path / "copy", here)
    assert ids(here) == ["a"]
    assert kept is not None
    assert kept.read_bytes().startswith(b"damaged")


def test_a_backup_of_an_older_version_is_restored_and_migrated(tmp_path: Path) -> None:
    assert restore(SCHEMA_1, tmp_path / "state") is None
    assert len(ids(tmp_path / "state")) == 23


def test_a_restore_while_the_collector_runs_is_refused(tmp_path: Path) -> None:
    here = state(tmp_path / "state", "a")
    backup(here, tmp_path / "copy")
    store = SqliteStore(here)
    with pytest.raises(StateError, match="another collector uses"):
        restore(tmp_path / "copy", here)
    store.close()


def damage_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5000:9000] = os.urandom(4000)
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0042'")


def make_another(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE photos (name)")


def add_trigger(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON agents BEGIN DELETE FROM deviations; END")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damage_page, "damaged|malformed"),
        (cut, "damaged|malformed"),
        (make_newer, "has schema 42"),
        (make_another, "is no store of a collector"),
        (add_trigger, "is no store of a collector"),
        (lambda path: path.write_bytes(b"GIF89a" * 1000), "not a database"),
        (lambda path: path.write_bytes(b""), "is no store of a collector"),
    ],
)
def test_a_file_that_is_no_good_changes_nothing(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    here = state(tmp_path / "state", *(f"{i}" for i in range(100)))
    backup(here, tmp_path / "copy")
    spoil(tmp_path / "copy")
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    with pytest.raises(StateError, match=said):
        restore(tmp_path / "copy", here)
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_nothing_is_overwritten_or_made_up(tmp_path: Path) -> None:
    here = state(tmp_path / "state", "a")
    (tmp_path / "copy").write_text("precious")
    with pytest.raises(SettingsError, match="exists already"):
        backup(here, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "precious"
    with pytest.raises(StateError, match="there is no store"):
        backup(tmp_path / "nowhere", tmp_path / "new")
    with pytest.raises(SettingsError, match="is no file"):
        restore(tmp_path / "new", here)
    with pytest.raises(StateError, match="cannot be written"):
        backup(here, tmp_path / "missing/copy")


def test_a_backup_that_fails_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = state(tmp_path / "state", "a")

    def fail(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup_module, "_check", fail)
    with pytest.raises(StateError, match="No space left"):
        backup(here, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
