"""How the collector's SQLite file is opened.

In: its path. Out: one SQLAlchemy engine for the writer, one read-only engine for readers; the tables of today in it.
Next: ``store_sqlite``, ``backup``.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, event
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from driftline.errors import StateError
from driftline.text import escape
from driftline_collector import migrate
from driftline_collector.schema import READERS

NAME = "collector.db"
"""The file in the state directory."""

BUSY_SECONDS = 5.0
"""How long to wait for a lock somebody else (a backup, the sqlite3 shell) holds."""

LOG_PAGES = 16_384
"""Pages of 4 KiB in the write-ahead log at which a commit itself folds it into the database: a bound, 64 MiB, for times
when ``checkpoint``, which does so in the background, cannot keep up."""

_HINTS = {
    "SQLITE_FULL": "make room on the disk, or keep less with --keep-bytes; the collector goes on by itself then",
    "SQLITE_READONLY": "make the disk and the file writable; the collector goes on by itself then",
    "SQLITE_BUSY": "end what holds it (the sqlite3 shell, a copy); the collector goes on by itself then",
    "SQLITE_IOERR": "look at the disk (dmesg); unmount, repair and mount it: the collector goes on by itself then",
    "SQLITE_CORRUPT": "driftline collector restore FILE",
    "SQLITE_NOTADB": "driftline collector restore FILE, or another --state",
}
"""By the beginning of SQLite's name for the error."""

LOST = ("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")
"""Errors after which open files may be of no use any more: the disk they are on is to be mounted anew."""


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


def upgrade(path: Path) -> int:
    """Give the file at ``path`` the tables of today, in one transaction; return the version it had.

    Raises StateError if a newer version made it, SQLAlchemyError if it is no database or cannot be written.
    """
    engine = sqlalchemy_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None),
        poolclass=NullPool,
    )
    event.listen(engine, "connect", _prepare)
    # the driver begins no transaction by itself before CREATE or ALTER, and half a migration must never be kept
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        return migrate.upgrade(connection)


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
    name = error_name(error)
    hint = next((hint for start, hint in _HINTS.items() if name.startswith(start)), "check permissions and --state")
    return StateError(f"cannot use the store {escape(str(path))}: {getattr(error, 'orig', None) or error}", hint)


def error_name(error: Exception) -> str:
    """Return SQLite's name for an error of its driver or of SQLAlchemy, "" if it is none of SQLite's."""
    return str(getattr(getattr(error, "orig", None) or error, "sqlite_errorname", ""))
