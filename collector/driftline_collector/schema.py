"""The collector's database: tables, and how its file is opened.

In: the state directory. Out: one SQLAlchemy engine for the writer, one read-only engine for readers. Why SQLite in WAL
mode: readers never wait for the writer nor the writer for them. Next: ``store``.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import BigInteger, Column, Engine, Index, Integer, LargeBinary, MetaData, Table, Text, event
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.pool import QueuePool, StaticPool

from driftline.errors import StateError
from driftline.text import escape

SCHEMA_VERSION = 1
"""Written to ``PRAGMA user_version``; another number means another version of driftline made the file."""

READERS = 4
"""Connections that read at the same time: two cores are busy with that, and more would only starve ingest."""

BUSY_SECONDS = 5.0
"""How long to wait for a lock somebody else (a backup, the sqlite3 shell) holds."""

LOG_PAGES = 16_384
"""Pages of 4 KiB in the write-ahead log at which a commit itself folds it into the database: a bound, 64 MiB, for times
when ``checkpoint``, which does so in the background, cannot keep up."""

metadata = MetaData()

deviations = Table(
    "deviations",
    metadata,
    # Place in the order of changes. SQLite clusters the table by it, so a tail reads one contiguous stretch.
    Column("revision", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("last_wall_ns", BigInteger, nullable=False),
    Column("last_kernel_ns", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),  # found out after the deviation was told; see store
    Column("body", LargeBinary, nullable=False),  # driftline.v1.Deviation; the columns are copies to search by
    # An id is unique per node only: one agent must not be able to overwrite what another reported.
    Index("deviations_id", "id", "node", unique=True),
    Index("deviations_last", "last_wall_ns", "revision"),
)

agents = Table(
    "agents",
    metadata,
    Column("node", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),  # driftline.v1.AgentStatus
)

properties = Table("properties", metadata, Column("name", Text, primary_key=True), Column("value", Text))


def open_writer(path: Path) -> Engine:
    """Return the engine of the one writer; its single connection is used by one thread at a time."""
    engine = sqlalchemy_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False),
        poolclass=StaticPool,
    )
    event.listen(engine, "connect", _prepare)
    return engine


def open_readers(path: Path) -> Engine:
    """Return an engine of at most READERS connections that cannot write."""
    uri = f"file:{quote(str(path))}?mode=ro"
    return sqlalchemy_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False),
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=0,
    )


def create(engine: Engine) -> None:
    """Create what is missing. Raises StateError if the file was made by another version."""
    with engine.begin() as connection:
        found = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
        if found not in (0, SCHEMA_VERSION):
            raise StateError(
                f"the database has schema {found}, this driftline writes {SCHEMA_VERSION}",
                "use the driftline version that made it, or another --state directory",
            )
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _prepare(connection: Any, _record: Any) -> None:
    """WAL with synchronous=NORMAL: a commit survives the death of the process, a power cut may take the last ones.

    FULL would add a disk flush (1 to 10 ms) to every deviation's way to the screen.
    """
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StateError("the file system of the state directory cannot hold a SQLite WAL", "use a local disk")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")


def explain(error: Exception, path: Path) -> StateError:
    """Return what a database error means to a person."""
    cause = getattr(error, "orig", None) or error
    return StateError(f"cannot use the store {escape(str(path))}: {cause}", "check free space, permissions and --state")
