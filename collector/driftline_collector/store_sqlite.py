"""The store of one collector: a SQLite file in its state directory.

In: the directory. Out: a ``Store``. Why WAL mode: readers never wait for the writer nor the writer for them. Why
SQLAlchemy only writes the statements of the writer: they run for every deviation, somebody waits for it, and executing
them through it takes three times as long as SQLite itself. Next: ``writer``, ``checkpoint``, ``retention``.
"""

from __future__ import annotations

import fcntl
import json
import logging
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from sqlalchemy import Connection, Engine, bindparam, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from driftline.errors import StateError
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector import sqlite_file
from driftline_collector.schema import SCHEMA_VERSION, agents, counters, deviations, notes, properties
from driftline_collector.store import BYTES, Candidate, Store, raised
from driftline_collector.store_changes import Key, Told, changes, fold, growth, known_rows, row

_log = logging.getLogger(__name__)


class SqliteStore(Store):
    """The database in ``directory``, which is made if missing, and brought up to date if an older version made it.

    Raises StateError if it cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / sqlite_file.NAME
        self._lock = lock(directory)
        try:
            self._open()
        except SQLAlchemyError as error:
            self._lock.close()
            raise self.explain(error) from error
        except StateError:
            self._lock.close()
            raise

    def _open(self) -> None:
        found = sqlite_file.upgrade(self._path)
        if 0 < found < SCHEMA_VERSION:
            _log.warning("the store had schema %d and has %d now", found, SCHEMA_VERSION)
        self._writer: Engine = sqlite_file.open_writer(self._path)
        self._readers = sqlite_file.open_readers(self._path)
        with self._writer.begin() as connection:
            statement = insert(properties).values(name="store_id", value=str(uuid.uuid4()))
            connection.execute(statement.on_conflict_do_nothing())
            query = select(properties.c.value).where(properties.c.name == "store_id")
            self.store_id = str(connection.execute(query).scalar_one())
            self._begin(connection)
        self._connection = self._writer.connect()
        self._driver = cast("sqlite3.Connection", self._connection.connection.driver_connection)
        self._checkpointer = sqlite_file.open_writer(self._path)

    def commit(
        self, incoming: Iterable[deviation_pb2.Deviation], statuses: Iterable[pb.AgentStatus]
    ) -> list[pb.StoredDeviation]:
        """See ``Store.commit``."""
        newest = fold(incoming)
        try:
            with self._driver:  # one transaction: committed at the end, rolled back by an exception
                known, sizes = self._known([key[0] for key in newest])
                changed = changes(newest, known, self.revision)
                if changed:
                    now = self.clock.stamp()
                    written = [row(change, now) for change in changed]
                    self._driver.executemany(_UPSERT, written)
                    self._driver.execute(_COUNT, {"name": BYTES, "value": growth(written, sizes)})
                if rows := [{"node": status.hello.node, "body": status.SerializeToString()} for status in statuses]:
                    self._driver.executemany(_UPSERT_AGENT, rows)
        except sqlite3.Error as error:
            raise self.explain(error) from error
        self.revision += len(changed)
        return changed

    def _known(self, ids: list[str]) -> tuple[dict[Key, Told], dict[Key, int]]:
        return known_rows(self._driver.execute(_LOOKUP, {"ids": json.dumps(ids)}) if ids else ())

    def remove(self, candidates: Sequence[Candidate], cause: str) -> list[tuple[int, int]]:
        """See ``Store.remove``."""
        try:
            with self._driver:
                revisions = json.dumps([one.revision for one in candidates])
                removed = self._driver.execute(_DELETE, {"revisions": revisions}).fetchall()
                more = [{"name": name, "value": value} for name, value in raised(cause, removed).items()]
                self._driver.executemany(_COUNT, more)
        except sqlite3.Error as error:
            raise self.explain(error) from error
        return [(revision, severity) for revision, severity, _ in removed]

    @contextmanager
    def transaction(self, tell: bool = False) -> Iterator[Connection]:
        """See ``Store.transaction``."""
        try:
            with self._writer.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self.explain(error) from error

    def note(self, topic: str, bodies: Mapping[str, bytes | None]) -> None:
        """See ``Store.note``."""
        kept = [{"topic": topic, "name": name, "body": body} for name, body in bodies.items() if body is not None]
        gone = [{"topic": topic, "name": name} for name, body in bodies.items() if body is None]
        try:
            with self._driver:
                self._driver.executemany(_UPSERT_NOTE, kept)
                self._driver.executemany(_DROP_NOTE, gone)
        except sqlite3.Error as error:
            raise self.explain(error) from error

    def count(self, more: Mapping[str, int]) -> None:
        """See ``Store.count``."""
        try:
            with self._driver:
                self._driver.executemany(_COUNT, [{"name": name, "value": value} for name, value in more.items()])
        except sqlite3.Error as error:
            raise self.explain(error) from error

    def newest(self) -> int:
        """See ``Store.newest``."""
        return self.revision

    def wall_s(self) -> float:
        """See ``Store.wall_s``."""
        return time.time()

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the database; neither the writer nor readers wait. Raises StateError."""
        try:
            with self._checkpointer.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
        except SQLAlchemyError as error:
            raise self.explain(error) from error

    def close(self) -> None:
        """Close every connection; the write-ahead log is folded into the database."""
        self._readers.dispose()
        self._checkpointer.dispose()
        self._connection.close()
        self._writer.dispose()
        self._lock.close()

    def explain(self, error: Exception) -> StateError:
        """See ``Store.explain``."""
        return sqlite_file.explain(error, self._path)


def lock(directory: Path) -> IO[str]:
    """Make ``directory`` ours, and make it if missing; it is until the file is closed. Raises StateError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = (directory / "collector.lock").open("w")
    except OSError as error:
        raise StateError(
            f"cannot use the state directory {escape(str(directory))}: {error.strerror}",
            "give a writable directory with --state",
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        message = f"another collector uses the state directory {escape(str(directory))}"
        raise StateError(message, "stop it, or give another --state") from error
    return held


def migrate_file(directory: Path) -> int:
    """Bring the database in ``directory`` up to date; return the version it had. Raises StateError."""
    path = directory / sqlite_file.NAME
    if not path.exists():
        raise StateError(f"there is no store in {escape(str(directory))}", "give its directory with --state")
    with lock(directory):
        try:
            return sqlite_file.upgrade(path)
        except SQLAlchemyError as error:
            raise sqlite_file.explain(error, path) from error


def _insert_or_update(table: Any, *key: str) -> str:
    statement = insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    return _sql(statement.on_conflict_do_update(index_elements=key, set_=others))


def _count() -> str:
    statement = insert(counters)
    more = {"value": counters.c.value + statement.excluded.value}
    return _sql(statement.on_conflict_do_update(index_elements=["name"], set_=more))


def _lookup() -> str:
    columns = (deviations.c[name] for name in ("id", "node", "count", "last_wall_ns", "last_kernel_ns", "sha256"))
    return _sql(select(*columns, _SIZE).where(deviations.c.id.in_(_listed("ids"))))


def _delete() -> str:
    chosen = deviations.c.revision.in_(_listed("revisions"))
    return _sql(deviations.delete().where(chosen).returning(deviations.c.revision, deviations.c.severity, _SIZE))


def _listed(name: str) -> Any:
    return select(func.json_each(bindparam(name)).table_valued("value").c.value)


def _sql(statement: Any) -> str:
    """Return ``statement`` for the driver."""
    return str(statement.compile(dialect=sqlite.dialect(paramstyle="named")))


_SIZE = func.length(deviations.c.body)
_UPSERT = _insert_or_update(deviations, "id", "node")
_UPSERT_AGENT = _insert_or_update(agents, "node")
_UPSERT_NOTE = _insert_or_update(notes, "topic", "name")
_DROP_NOTE = _sql(notes.delete().where(notes.c.topic == bindparam("topic"), notes.c.name == bindparam("name")))
_COUNT = _count()
_LOOKUP = _lookup()
_DELETE = _delete()
