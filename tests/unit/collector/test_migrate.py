"""Databases of older versions become today's with all they hold; newer ones are left alone."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect

from driftline.errors import StateError
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import schema, sqlite_file
from driftline_collector.filters import DeviationFilter
from driftline_collector.migrations import versions
from driftline_collector.store_sqlite import SqliteStore, migrate_file
from unit.wire import samples

SCHEMA_1 = Path(__file__).parents[2] / "data/collector-schema1.db"
"""Written by the collector of version 1: 23 deviations, of which the fourth was repeated, and an agent."""

EVERYTHING = DeviationFilter(pb.DeviationFilter())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    shutil.copy(SCHEMA_1, tmp_path / sqlite_file.NAME)
    return tmp_path


def bodies(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT revision, id, body FROM deviations ORDER BY revision").fetchall()


def tables(path: Path) -> dict[str, Any]:
    """What the tables of a database are, defaults aside: a migrated column has one, a new one needs none."""
    inspector = inspect(create_engine(f"sqlite:///{path}"))
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)],
            inspector.get_pk_constraint(name)["constrained_columns"],
            sorted(
                (index["name"], tuple(index["column_names"]), index["unique"]) for index in inspector.get_indexes(name)
            ),
        )
        for name in inspector.get_table_names()
    }


def test_a_store_of_version_1_keeps_everything_and_goes_on(old: Path) -> None:
    before = bodies(SCHEMA_1)
    assert len(before) == 23
    store = SqliteStore(old)
    assert (store.store_id, store.revision) == ("0878e159-d73a-44f5-b7e5-719073ad14fc", 24)
    assert [status.hello.node for status in store.agents()] == ["node-a"]
    page = store.forward(EVERYTHING, 0, 24, 100)
    assert [(item.revision, item.deviation.id) for item in page.deviations] == [(row[0], row[1]) for row in before]
    assert page.deviations[-1].deviation.count == 7
    assert store.expired(int(time.time()) - 60, 10) == []  # nothing is older than the migration
    store.commit([deviation_to_wire(samples.deviation(id="new"))], [])
    assert store.revision == 25
    store.close()
    assert bodies(old / sqlite_file.NAME)[:23] == before
    assert migrate_file(old) == schema.SCHEMA_VERSION


def test_the_command_migrates_as_the_start_does(old: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert migrate_file(old) == 1
    new = tmp_path_factory.mktemp("new")
    SqliteStore(new).close()
    assert tables(old / sqlite_file.NAME) == tables(new / sqlite_file.NAME)


def test_a_migration_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last step of it fails, after all tables have changed."""

    def fail(_connection: object) -> None:
        raise StateError("the disk is full")

    monkeypatch.setattr(schema, "note", fail)
    with pytest.raises(StateError, match="the disk is full"):
        SqliteStore(old)
    monkeypatch.undo()
    assert tables(old / sqlite_file.NAME) == tables(SCHEMA_1)
    SqliteStore(old).close()


def test_every_version_has_its_step() -> None:
    steps = sorted(path.name[:5] for path in Path(str(versions.__file__)).parent.glob("v*.py"))
    assert steps == [f"v{number:04}" for number in range(1, schema.SCHEMA_VERSION + 1)]


@pytest.mark.parametrize("version", [f"{schema.SCHEMA_VERSION + 1:04}", "0099"])
def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path, version: str) -> None:
    SqliteStore(tmp_path).close()
    path = tmp_path / sqlite_file.NAME
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])
    before = path.read_bytes()
    for attempt in (SqliteStore, migrate_file):
        said = f"has schema {int(version)}, this driftline knows those up to {schema.SCHEMA_VERSION}"
        with pytest.raises(StateError, match=said) as error:
            attempt(tmp_path)
        assert "newer" in error.value.hint
    assert path.read_bytes() == before


def test_a_directory_without_a_store_is_not_made_one(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is no store"):
        migrate_file(tmp_path)
    assert list(tmp_path.iterdir()) == []
