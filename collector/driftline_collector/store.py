"""The collector's store.

In: deviations and agent states from the one writer thread; questions from reader threads. Out: what changed, with its
place in the order of changes; pages. Why revisions: a tail that knows the last revision it saw can go on after any
interruption without gap or duplicate, and a folded repeat is simply a newer revision of its deviation. Next: ``writer``
calls ``commit``; ``follow`` and ``listing`` read pages.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, bindparam, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from driftline.errors import StateError
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector import schema
from driftline_collector.filters import DeviationFilter
from driftline_collector.schema import agents, deviations, properties

SCAN_REVISIONS = 20_000
"""Revisions one query looks at: bounds a query that matches nothing to some ten milliseconds."""

Key = tuple[str, str]  # id, node
Told = tuple[int, int, int, str]  # count, last_wall_ns, last_kernel_ns, sha256


@dataclass(frozen=True, slots=True)
class Page:
    """Matches among the revisions between where the scan began and ``reached``."""

    deviations: list[pb.StoredDeviation]
    reached: int


class Store:
    """The database in ``directory``, which is made if missing. Raises StateError if it cannot be used."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "collector.db"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (directory / "collector.lock").open("w")
        except OSError as error:
            raise StateError(
                f"cannot use the state directory {escape(str(directory))}: {error.strerror}",
                "give a writable directory with --state",
            ) from error
        try:
            self._lock_out_others(directory)
            self._open()
        except SQLAlchemyError as error:
            self._lock.close()
            raise schema.explain(error, self._path) from error
        except StateError:
            self._lock.close()
            raise

    def _lock_out_others(self, directory: Path) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = f"another collector uses the state directory {escape(str(directory))}"
            raise StateError(message, "stop it, or give another --state") from error

    def _open(self) -> None:
        self._writer: Engine = schema.open_writer(self._path)
        schema.create(self._writer)
        self._readers: Engine = schema.open_readers(self._path)
        with self._writer.begin() as connection:
            statement = insert(properties).values(name="store_id", value=str(uuid.uuid4()))
            connection.execute(statement.on_conflict_do_nothing())
            self.store_id = str(connection.execute(select(properties.c.value)).scalar_one())
            self.revision = int(connection.execute(select(func.max(deviations.c.revision))).scalar() or 0)
        self._connection = self._writer.connect()
        # The writer's few statements run for every deviation, and somebody waits for it: SQLAlchemy writes them, but
        # executing them through it takes three times as long as SQLite itself.
        self._driver = cast("sqlite3.Connection", self._connection.connection.driver_connection)
        self._checkpointer = schema.open_writer(self._path)

    def commit(
        self, incoming: Iterable[deviation_pb2.Deviation], statuses: Iterable[pb.AgentStatus]
    ) -> list[pb.StoredDeviation]:
        """Store in one transaction; return what is new or changed, in order. Writer thread only.

        Raises StateError if nothing could be stored.
        """
        newest = _fold(incoming)
        try:
            with self._driver:  # one transaction: committed at the end, rolled back by an exception
                changes = self._changes(newest)
                if changes:
                    self._driver.executemany(_UPSERT, [_row(change) for change in changes])
                if rows := [{"node": status.hello.node, "body": status.SerializeToString()} for status in statuses]:
                    self._driver.executemany(_UPSERT_AGENT, rows)
        except sqlite3.Error as error:
            raise schema.explain(error, self._path) from error
        self.revision += len(changes)
        return changes

    def _changes(self, newest: dict[Key, deviation_pb2.Deviation]) -> list[pb.StoredDeviation]:
        known = self._known([key[0] for key in newest])
        changed = [deviation for key, deviation in newest.items() if _merge(deviation, known.get(key))]
        return [
            pb.StoredDeviation(revision=revision, deviation=deviation)
            for revision, deviation in enumerate(changed, self.revision + 1)
        ]

    def _known(self, ids: list[str]) -> dict[Key, Told]:
        if not ids:
            return {}
        rows = self._driver.execute(_LOOKUP, {"ids": json.dumps(ids)})
        return {(row[0], row[1]): (row[2], row[3], row[4], row[5]) for row in rows}

    def agents(self) -> list[pb.AgentStatus]:
        """Return the last stored state of every agent. Raises StateError."""
        return [pb.AgentStatus.FromString(row.body) for row in self._read(select(agents.c.body))]

    def revision_before(self, since_wall_ns: int) -> int:
        """Return a revision after which everything lies that was last seen at ``since_wall_ns`` or later."""
        first = func.min(deviations.c.revision).label("first")
        found = self._read(select(first).where(deviations.c.last_wall_ns >= since_wall_ns))[0].first
        return self.revision if found is None else int(found) - 1

    def forward(self, wanted: DeviationFilter, after: int, last: int, limit: int) -> Page:
        """Return up to ``limit`` matches, oldest change first, after revision ``after`` and not beyond ``last``."""
        revision = deviations.c.revision
        end = min(last, after + SCAN_REVISIONS)
        query = select(revision, deviations.c.body).where(revision > after, revision <= end, *wanted.conditions())
        return self._page(query.order_by(revision).limit(limit), wanted, limit, end)

    def backward(self, wanted: DeviationFilter, before: int, limit: int) -> Page:
        """Return up to ``limit`` matches, newest change first, before revision ``before``."""
        revision = deviations.c.revision
        end = max(1, before - SCAN_REVISIONS)
        query = select(revision, deviations.c.body).where(revision < before, revision >= end, *wanted.conditions())
        return self._page(query.order_by(revision.desc()).limit(limit), wanted, limit, end)

    def _page(self, query: Any, wanted: DeviationFilter, limit: int, end: int) -> Page:
        rows = self._read(query)
        stored = [
            pb.StoredDeviation(revision=revision, deviation=deviation_pb2.Deviation.FromString(body))
            for revision, body in rows
        ]
        matches = [item for item in stored if wanted.matches(item.deviation)]
        return Page(matches, rows[-1].revision if len(rows) == limit else end)

    def _read(self, query: Any) -> Sequence[Any]:
        try:
            with self._readers.connect() as connection:
                return connection.execute(query).all()
        except SQLAlchemyError as error:
            raise schema.explain(error, self._path) from error

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the database; neither the writer nor readers wait. Raises StateError."""
        try:
            with self._checkpointer.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
        except SQLAlchemyError as error:
            raise schema.explain(error, self._path) from error

    def close(self) -> None:
        """Close every connection; the write-ahead log is folded into the database."""
        self._readers.dispose()
        self._checkpointer.dispose()
        self._connection.close()
        self._writer.dispose()
        self._lock.close()


def _insert_or_update(table: Any, *key: str) -> str:
    statement = insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    return _sql(statement.on_conflict_do_update(index_elements=key, set_=others))


def _lookup() -> str:
    wanted = func.json_each(bindparam("ids")).table_valued("value")
    columns = (deviations.c[name] for name in ("id", "node", "count", "last_wall_ns", "last_kernel_ns", "sha256"))
    return _sql(select(*columns).where(deviations.c.id.in_(select(wanted.c.value))))


def _sql(statement: Any) -> str:
    """Return ``statement`` for the driver."""
    return str(statement.compile(dialect=sqlite.dialect(paramstyle="named")))


_UPSERT = _insert_or_update(deviations, "id", "node")
_UPSERT_AGENT = _insert_or_update(agents, "node")
_LOOKUP = _lookup()


def _fold(incoming: Iterable[deviation_pb2.Deviation]) -> dict[Key, deviation_pb2.Deviation]:
    """Return the newest state of each deviation of one transaction, in order of first arrival."""
    newest: dict[Key, deviation_pb2.Deviation] = {}
    for deviation in incoming:
        key = deviation.id, deviation.node
        before = newest.get(key)
        if before is None or _merge(deviation, _told(before)):
            newest[key] = deviation
    return newest


def _merge(deviation: deviation_pb2.Deviation, known: Told | None) -> bool:
    """Raise the count and last times of ``deviation`` to those ``known``; whether it says anything new.

    The digest is found out after a deviation is told: a later update without it does not take it away.
    """
    if known is None:
        return True
    deviation.count = max(deviation.count, known[0])
    deviation.last_wall_ns = max(deviation.last_wall_ns, known[1])
    deviation.last_kernel_ns = max(deviation.last_kernel_ns, known[2])
    deviation.sha256 = deviation.sha256 or known[3]
    return _told(deviation) != known


def _told(deviation: deviation_pb2.Deviation) -> Told:
    return deviation.count, deviation.last_wall_ns, deviation.last_kernel_ns, deviation.sha256


def _row(change: pb.StoredDeviation) -> dict[str, object]:
    deviation = change.deviation
    return {
        "revision": change.revision,
        "id": deviation.id,
        "node": deviation.node,
        "severity": deviation.severity,
        "kind": deviation.kind,
        "namespace": deviation.subject.namespace,
        "count": deviation.count,
        "last_wall_ns": deviation.last_wall_ns,
        "last_kernel_ns": deviation.last_kernel_ns,
        "sha256": deviation.sha256,
        "body": deviation.SerializeToString(),
    }
