"""A store whose disk failed: its log is put back where it belongs and nowhere else; no other store takes its place."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select

from driftline.errors import StateError
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector import sqlite_log
from driftline_collector.schema import deviations
from driftline_collector.store_sqlite import SqliteStore
from unit.wire import samples

HEADER = b"h" * sqlite_log.HEADER


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log's place."""
    return tmp_path / "db-wal"


@pytest.mark.parametrize("left", [HEADER, HEADER + b"some", HEADER + b"some and what a failed commit left"])
def test_a_log_that_lost_something_is_made_whole(log: Path, left: bytes) -> None:
    log.write_bytes(HEADER + b"some and more")
    kept = sqlite_log.keep(log.with_name("db"))
    log.write_bytes(left)
    sqlite_log.put_back(log.with_name("db"), kept)
    assert log.read_bytes() == HEADER + b"some and more"


@pytest.mark.parametrize("other", [b"", b"short", b"x" + HEADER[1:] + b"another one"])
def test_another_log_is_left_alone(log: Path, other: bytes) -> None:
    log.write_bytes(other)
    sqlite_log.put_back(log.with_name("db"), HEADER + b"some")
    assert log.read_bytes() == other


def test_no_log_is_made(log: Path) -> None:
    assert sqlite_log.keep(log.with_name("db")) == b""
    sqlite_log.put_back(log.with_name("db"), HEADER + b"some")
    assert not log.exists()


def test_nothing_kept_empties_nothing(log: Path) -> None:
    log.write_bytes(HEADER + b"some")
    sqlite_log.put_back(log.with_name("db"), b"")
    assert log.read_bytes() == HEADER + b"some"


def some(count: int = 1) -> list[deviation_pb2.Deviation]:
    return [deviation_to_wire(samples.deviation()) for _ in range(count)]


def revisions(store: SqliteStore) -> list[int]:
    return [row.revision for row in store.read(select(deviations.c.revision).order_by(deviations.c.revision))]


def failed() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_WRITE"
    return error


def test_a_store_that_was_let_go_goes_on(tmp_path: Path) -> None:
    """Of an error that passes by itself nothing is left, and nothing is lost."""
    store = SqliteStore(tmp_path)
    store.commit(some(), [])
    store._let_go(failed())
    assert revisions(store) == [1]
    (second,) = store.commit(some(), [])
    assert second.revision == 2
    assert revisions(store) == [1, 2]
    store.close()


def test_another_store_in_its_place_is_not_used(tmp_path: Path) -> None:
    other = SqliteStore(tmp_path / "other")
    other.close()
    store = SqliteStore(tmp_path / "state")
    store.commit(some(), [])
    store._let_go(failed())
    for path in (tmp_path / "state").glob("collector.db*"):
        path.unlink()
    with pytest.raises(StateError, match="is away"):
        store.note("topic", {"name": b"body"})
    assert not list((tmp_path / "state").glob("collector.db*"))
    shutil.copy(tmp_path / "other" / "collector.db", tmp_path / "state")
    with pytest.raises(StateError, match="another store is in the place"):
        store.note("topic", {"name": b"body"})
    store.close()


def test_what_is_gone_all_the_same_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody put back an older copy of the same store."""
    store = SqliteStore(tmp_path)
    store.close()
    shutil.copy(tmp_path / "collector.db", tmp_path / "copy")
    store = SqliteStore(tmp_path)
    store.commit(some(3), [])
    store._let_go(failed())
    (tmp_path / "copy").replace(tmp_path / "collector.db")
    (change,) = store.commit(some(), [])
    assert change.revision == 4  # followers have seen 1 to 3
    assert "the disk lost 3 changes of the store that were acknowledged" in caplog.text
    store.close()
