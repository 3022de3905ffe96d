"""The store of one collector: a SQLite file in its state directory.

In: the directory. Out: a ``Store``. Why WAL mode: readers never wait for the writer nor the writer for them. Why
SQLAlchemy only writes the statements of the writer: they run for every deviation, somebody waits for it, and executing
them through it takes three times as long as SQLite itself. Why it lets go of every file when its disk fails: the kernel
makes a disk read-only for good, and repairing it needs it unmounted. Next: ``writer``, ``checkpoint``, ``retention``.
"""

from __future__ import annotations

import fcntl
import json
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
from driftline_collector import sqlite_file, sqlite_log
from driftline_collector.schema import SCHEMA_VERSION, agents, counters, deviations, notes, properties
from driftline_collector.store import BYTES, Candidate, Store, raised
from driftline_collector.store_changes import Key, Told, changes, fold, growth, known_rows, row

_log = logging.getLogger(__name__)


class SqliteStore(Store):
    """The database in ``directory``, which is made if missing, and brought up to date if an older version made it.

    Raises StateError if it cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / sqlite_file.NAME
        self._switching = threading.Lock()  # held while connections come and go, which the checkpointer must not see
        self._lost = False  # nothing is open: the disk failed
        self._kept = b""  # the log then
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
        self._connect()
        with self._writer.begin() as connection:
            statement = insert(properties).values(name="store_id", value=str(uuid.uuid4()))
            connection.execute(statement.on_conflict_do_nothing())
            self.store_id = str(connection.execute(_STORE_ID).scalar_one())
            self._begin(connection)

    def _connect(self) -> None:
        self._readers = sqlite_file.open_readers(self._path)
        self._checkpointer = sqlite_file.open_writer(self._path)
        self._writer: Engine = sqlite_file.open_writer(self._path)
        self._connection = self._writer.connect()
        self._driver = cast("sqlite3.Connection", self._connection.connection.driver_connection)

    def _disconnect(self) -> None:
        self._readers.dispose()
        self._checkpointer.dispose()
        with suppress(SQLAlchemyError):  # of a disk that fails
            self._connection.close()
        self._writer.dispose()
        self._lock.close()

    def _let_go(self, error: Exception) -> None:
        """Close everything if the disk failed, so that it can be unmounted, and keep what it may not have."""
        if sqlite_file.error_name(error).startswith(sqlite_file.LOST):
            with self._switching:
                self._kept = sqlite_log.keep(self._path)
                self._disconnect()
                self._lost = True

    def _open_again(self) -> None:
        """Open what was let go. Raises StateError while the disk is not mended."""
        with self._switching:
            try:
                if not self._path.exists():  # and it is not made anew below the disk's mount point
                    raise StateError(f"the store {escape(str(self._path))} is away", "mount its disk")
                self._lock = lock(self._directory)
                sqlite_log.put_back(self._path, self._kept)
                self._connect()
                self._compare()
            except (OSError, SQLAlchemyError) as error:
                self._disconnect()
                raise self.explain(error) from error
            except StateError:
                self._disconnect()
                raise
            self._lost, self._kept = False, b""

    def _compare(self) -> None:
        """Raises StateError if it is another store than was let go; says what was acknowledged and is gone."""
        with self._writer.begin() as connection:
            if connection.execute(_STORE_ID).scalar_one() != self.store_id:
                what = f"another store is in the place of {escape(str(self._path))}"
                raise StateError(what, "start the collector again to use it")
            newest = connection.execute(select(func.max(deviations.c.revision))).scalar_one() or 0
        if newest < self.revision:
            _log.error("the disk lost %d changes of the store that were acknowledged", self.revision - newest)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed at the end, rolled back by an exception. Raises StateError. Writer thread only."""
        if self._lost:
            self._open_again()
        try:
            with self._driver:
                yield self._driver
        except sqlite3.Error as error:
            self._let_go(error)
            raise self.explain(error) from error

    def commit(
        self, incoming: Iterable[deviation_pb2.Deviation], statuses: Iterable[pb.AgentStatus]
    ) -> list[pb.StoredDeviation]:
        """See ``Store.commit``."""
        newest = fold(incoming)
        with self._writing() as driver:
            known, sizes = self._known([key[0] for key in newest])
            changed = changes(newest, known, self.revision)
            if changed:
                now = self.clock.stamp()
                written = [row(change, now) for change in changed]
                driver.executemany(_UPSERT, written)
                driver.execute(_COUNT, {"name": BYTES, "value": growth(written, sizes)})
            if rows := [{"node": status.hello.node, "body": status.SerializeToString()} for status in statuses]:
                driver.executemany(_UPSERT_AGENT, rows)
        self.revision += len(changed)
        return changed

    def _known(self, ids: list[str]) -> tuple[dict[Key, Told], dict[Key, int]]:
        return known_rows(self._driver.execute(_LOOKUP, {"ids": json.dumps(ids)}) if ids else ())

    def remove(self, candidates: Sequence[Candidate], cause: str) -> list[tuple[int, int]]:
        """See ``Store.remove``."""
        with self._writing() as driver:
            revisions = json.dumps([one.revision for one in candidates])
            removed = driver.execute(_DELETE, {"revisions": revisions}).fetchall()
            more = [{"name": name, "value": value} for name, value in raised(cause, removed).items()]
            driver.executemany(_COUNT, more)
        return [(revision, severity) for revision, severity, _ in removed]

    @contextmanager
    def transaction(self, tell: bool = False) -> Iterator[Connection]:
        """See ``Store.transaction``."""
        if self._lost:
            self._open_again()
        try:
            with self._writer.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            self._let_go(error)
            raise self.explain(error) from error

    def note(self, topic: str, bodies: Mapping[str, bytes | None]) -> None:
        """See ``Store.note``."""
        kept = [{"topic": topic, "name": name, "body": body} for name, body in bodies.items() if body is not None]
        gone = [{"topic": topic, "name": name} for name, body in bodies.items() if body is None]
        with self._writing() as driver:
            driver.executemany(_UPSERT_NOTE, kept)
            driver.executemany(_DROP_NOTE, gone)

    def count(self, more: Mapping[str, int]) -> None:
        """See ``Store.count``."""
        with self._writing() as driver:
            driver.executemany(_COUNT, [{"name": name, "value": value} for name, value in more.items()])

    def newest(self) -> int:
        """See ``Store.newest``."""
        return self.revision

    def wall_s(self) -> float:
        """See ``Store.wall_s``."""
        return time.time()

    def read(self, query: Any) -> Sequence[Any]:
        """See ``Store.read``. A disk that failed can mostly still be read; nothing is left open on it."""
        try:
            return super().read(query)
        finally:
            if self._lost:
                self._readers.dispose()

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the database; neither the writer nor readers wait. Raises StateError."""
        with self._switching:
            if self._lost:
                return
            try:
                with self._checkpointer.connect() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
            except SQLAlchemyError as error:
                raise self.explain(error) from error

    def close(self) -> None:
        """Close every connection; the write-ahead log is folded into the database."""
        if self._lost:
            with suppress(StateError):  # not mended: as after a power cut
                self._open_again()
        self._disconnect()

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


_STORE_ID = select(properties.c.value).where(properties.c.name == "store_id")
_SIZE = func.length(deviations.c.body)
_UPSERT = _insert_or_update(deviations, "id", "node")
_UPSERT_AGENT = _insert_or_update(agents, "node")
_UPSERT_NOTE = _insert_or_update(notes, "topic", "name")
_DROP_NOTE = _sql(notes.delete().where(notes.c.topic == bindparam("topic"), notes.c.name == bindparam("name")))
_COUNT = _count()
_LOOKUP = _lookup()
_DELETE = _delete()
