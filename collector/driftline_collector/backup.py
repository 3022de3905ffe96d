"""A SQLite store copied while it is in use, and put back while it is not.

In: state directory, file. Out: a file that holds the store as it was at one moment; a store as the file has it. Why
SQLite's own copy and not the file's bytes: the newest deviations are in the log beside it. Why a restored store is a
new one: followers have seen revisions that the old one no longer has, and would take the next ones for seen. Next: the
command line.
"""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from driftline.baseline.keeping.files import sync_directory
from driftline.errors import SettingsError, StateError
from driftline.text import escape
from driftline_collector import schema, sqlite_file
from driftline_collector.store_sqlite import lock

_TABLES = {"deviations", "agents", "properties"}


def backup(state: Path, target: Path) -> int:
    """Copy the store in ``state`` to the new file ``target``, readable by its owner only; return its size in bytes.

    The collector may run; it does not wait. Raises StateError or SettingsError, and leaves no half file.
    """
    source = state / sqlite_file.NAME
    if not source.exists():
        raise StateError(f"there is no store in {escape(str(state))}", "give its directory with --state")
    if os.path.lexists(target):
        raise SettingsError(f"{escape(str(target))} exists already", "choose another name")
    temporary = target.with_name(f"{target.name}.new")
    with _explained(source, target), _new(temporary):
        _copy(source, temporary)
        _check(temporary)
        os.link(temporary, target)  # unlike a rename, never over a file that came meanwhile
        temporary.unlink()
        sync_directory(target.parent)
    return target.stat().st_size


def restore(file: Path, state: Path) -> Path | None:
    """Make the store in ``state`` what ``file`` holds; return where the one before is kept, None if there was none.

    Raises StateError if a collector uses it, or ``file`` is damaged or no store; then nothing has changed.
    """
    target = state / sqlite_file.NAME
    temporary = target.with_name(f"{target.name}.new")
    if not file.is_file():
        raise SettingsError(f"{escape(str(file))} is no file", "give one that driftline collector backup made")
    with lock(state), _explained(file, target):
        _check(file)
        temporary.unlink(missing_ok=True)  # of an attempt that was cut short
        with _new(temporary):
            _copy(file, temporary)
            with closing(sqlite3.connect(temporary)) as connection, connection:
                connection.execute("UPDATE properties SET value = ? WHERE name = 'store_id'", [str(uuid.uuid4())])
            owner = state.stat()
            if os.geteuid() == 0:  # root types the command; the collector may be another user
                os.chown(temporary, owner.st_uid, owner.st_gid)
            kept = _keep(target)
            temporary.replace(target)
            sync_directory(state)
    return kept


def _copy(source: Path, target: Path) -> None:
    """In one step: a copy in several would begin anew with each commit, and in WAL mode nobody waits for it."""
    with closing(_open(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, complete in itself
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _check(path: Path) -> None:
    """Raise StateError unless ``path`` is a whole store of a version we know."""
    with closing(_open(path)) as connection:
        wrong = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
        kinds = {(str(kind), str(name)) for kind, name in connection.execute("SELECT type, name FROM sqlite_master")}
    if wrong != ["ok"]:
        raise StateError(f"{escape(str(path))} is damaged: {escape('; '.join(wrong))}", "use another backup")
    if not {("table", name) for name in _TABLES} <= kinds or {kind for kind, _ in kinds} > {"table", "index"}:
        raise StateError(f"{escape(str(path))} is no store of a collector", "use a file that `backup` made")
    engine = create_engine("sqlite://", creator=lambda: _open(path), poolclass=NullPool)
    with engine.connect() as connected:
        schema.refuse_newer(schema.version(connected))


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=sqlite_file.BUSY_SECONDS)


def _keep(target: Path) -> Path | None:
    """Put what is there aside, with its log: a log left behind would be played into the new database."""
    if not target.exists():
        return None
    try:
        with closing(sqlite3.connect(target)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:  # damaged, which may be why it is replaced: kept as it is
        pass
    kept = target.with_name(time.strftime(f"{target.name}.before-%Y%m%dT%H%M%SZ", time.gmtime()))
    os.link(target, kept)
    for suffix in ("-wal", "-shm"):
        if (beside := Path(f"{target}{suffix}")).exists():
            beside.rename(f"{kept}{suffix}")
    return kept


@contextmanager
def _new(path: Path) -> Iterator[None]:
    """Make ``path``, readable by us only, and remove it unless it has been put in its place."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


@contextmanager
def _explained(source: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise sqlite_file.explain(error, source) from error
    except OSError as error:
        message = f"{escape(str(target))} cannot be written: {error.strerror}"
        raise StateError(message, "check free space and permissions of its directory") from error
