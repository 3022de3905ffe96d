"""The store of several collectors: one PostgreSQL database.

In: its address. Out: a ``Store``. Why an advisory lock in each commit: revisions must become visible in their order. A
sequence alone hands out 7 and 8 to two replicas, 8 commits first, and a follower that read it never sees 7. The lock is
taken before a revision is chosen and PostgreSQL releases it after the commit can be seen, so whoever reads 8 can read
all below. What it costs, the flush of one commit at a time, is shared by up to ``writer.TRANSACTION_DEVIATIONS``. Next:
``writer``; ``notices`` tells the other replicas.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector import migrate, postgres, schema
from driftline_collector.schema import deviations, properties
from driftline_collector.store import BYTES, Candidate, Store, raised
from driftline_collector.store_address import PostgresAddress
from driftline_collector.store_changes import Key, changes, fold, growth, known_rows, row

CHANNEL = "driftline_deviations"
"""Where commits are told; the payload says by which replica."""

BASELINES_CHANNEL = "driftline_baselines"
"""Where it is told that a baseline was published or revoked."""

_LOCK_CLASS = 0x64726966  # "drif": our part of the database's advisory locks
_LOCK = f"SELECT pg_advisory_xact_lock({_LOCK_CLASS}, 'deviations'::regclass::oid::int)"
_MIGRATION_LOCK = f"SELECT pg_advisory_xact_lock({_LOCK_CLASS}, 0)"
LAST = "SELECT coalesce(max(revision), 0) FROM deviations"
_LAST_STAMPED = """
    SELECT coalesce(max(revision), 0), coalesce(max(stored_s), 0)
    FROM (SELECT revision, stored_s FROM deviations ORDER BY revision DESC LIMIT 1) AS newest
"""
_LOOKUP = """
    SELECT id, node, count, last_wall_ns, last_kernel_ns, sha256, octet_length(body) FROM deviations WHERE id = ANY(%s)
"""
_TYPES = {"severity": "int", "body": "bytea"} | dict.fromkeys(("id", "node", "kind", "namespace", "sha256"), "text")
_NAMES = [column.name for column in deviations.c]
_UPSERT = f"""
    INSERT INTO deviations ({", ".join(_NAMES)})
    SELECT * FROM unnest({", ".join(f"%({name})b::{_TYPES.get(name, 'bigint')}[]" for name in _NAMES)})
    ON CONFLICT (id, node) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in ("id", "node"))}
"""
_UPSERT_AGENTS = """
    INSERT INTO agents (node, body) SELECT * FROM unnest(%b::text[], %b::bytea[])
    ON CONFLICT (node) DO UPDATE SET body = excluded.body
"""
_UPSERT_NOTES = """
    INSERT INTO notes (topic, name, body) SELECT %s, * FROM unnest(%b::text[], %b::bytea[])
    ON CONFLICT (topic, name) DO UPDATE SET body = excluded.body
"""
_COUNT = """
    INSERT INTO counters (name, value) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value
"""


class PostgresStore(Store):
    """The database at ``address``; an empty one gets its tables. Raises StateError or SettingsError if it cannot be
    used, also if its tables are of another version."""

    shared = True

    def __init__(self, address: PostgresAddress) -> None:
        self.address = address
        self.replica = str(uuid.uuid4())
        self._writing: postgres.Connection | None = None
        self._others = postgres.Opened()
        self._readers = postgres.open_readers(address, self._others)
        self._seldom = postgres.open_writer(address, self._others)
        try:
            with _migrating(address) as connection:
                self._prepare(connection)
        except SQLAlchemyError as error:
            raise self.explain(error) from error

    def _prepare(self, connection: Connection) -> None:
        found = schema.version(connection)
        if 0 < found < schema.SCHEMA_VERSION:
            raise StateError(
                f"{self.address.name} has schema {found}, this driftline writes {schema.SCHEMA_VERSION}",
                "back it up (pg_dump), then: driftline collector migrate --store ...",
            )
        migrate.upgrade(connection)
        statement = insert(properties).values(name="store_id", value=str(uuid.uuid4()))
        connection.execute(statement.on_conflict_do_nothing())
        query = select(properties.c.value).where(properties.c.name == "store_id")
        self.store_id = str(connection.execute(query).scalar_one())
        self._begin(connection)

    def commit(
        self, incoming: Iterable[deviation_pb2.Deviation], statuses: Iterable[pb.AgentStatus]
    ) -> list[pb.StoredDeviation]:
        """See ``Store.commit``."""
        newest, changed = fold(incoming), list[pb.StoredDeviation]()
        states = {status.hello.node: status.SerializeToString() for status in statuses}
        with self._transaction() as connection:
            if newest:
                changed = self._change(connection, newest)
            if states:  # in one order: two replicas must not wait for each other
                nodes = sorted(states)
                connection.execute(_UPSERT_AGENTS, [nodes, [states[node] for node in nodes]])
        if changed:
            self.revision = changed[-1].revision
        return changed

    def _change(
        self, connection: postgres.Connection, newest: dict[Key, deviation_pb2.Deviation]
    ) -> list[pb.StoredDeviation]:
        connection.execute(_LOCK)
        last = connection.execute(_LAST_STAMPED)
        known, sizes = known_rows(connection.execute(_LOOKUP, [[key[0] for key in newest]], binary=True).fetchall())
        ((revision, stamped),) = last.fetchall()
        if changed := changes(newest, known, revision):
            now = self.clock.stamp(stamped)
            rows = [row(change, now) for change in changed]
            connection.execute(_UPSERT, {name: [one[name] for one in rows] for name in _NAMES})
            connection.execute(_COUNT, [BYTES, growth(rows, sizes)])
            connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, self.replica])
        return changed

    def remove(self, candidates: Sequence[Candidate], cause: str) -> list[tuple[int, int]]:
        """See ``Store.remove``."""
        delete = "DELETE FROM deviations WHERE revision = ANY(%s) RETURNING revision, severity, octet_length(body)"
        with self._transaction() as connection:
            connection.execute(_LOCK)  # else a commit at the same time would miscount what is used
            removed = connection.execute(delete, [[one.revision for one in candidates]]).fetchall()
            for name, value in raised(cause, removed).items():
                connection.execute(_COUNT, [name, value])
        return [(revision, severity) for revision, severity, _ in removed]

    @contextmanager
    def transaction(self, tell: bool = False) -> Iterator[Connection]:
        """See ``Store.transaction``."""
        try:
            with self._seldom.begin() as connection:
                yield connection
                if tell:
                    connection.execute(select(func.pg_notify(BASELINES_CHANNEL, self.replica)))
        except SQLAlchemyError as error:
            raise self.explain(error) from error

    def note(self, topic: str, bodies: Mapping[str, bytes | None]) -> None:
        """See ``Store.note``."""
        gone = sorted(name for name, body in bodies.items() if body is None)
        kept = {name: body for name, body in sorted(bodies.items()) if body is not None}
        with self._transaction() as connection:
            if kept:
                connection.execute(_UPSERT_NOTES, [topic, list(kept), list(kept.values())])
            if gone:
                connection.execute("DELETE FROM notes WHERE topic = %s AND name = ANY(%s)", [topic, gone])

    def count(self, more: Mapping[str, int]) -> None:
        """See ``Store.count``."""
        with self._transaction() as connection:
            for name, value in sorted(more.items()):
                connection.execute(_COUNT, [name, value])

    def newest(self) -> int:
        """See ``Store.newest``."""
        return int(self.read(select(func.coalesce(func.max(deviations.c.revision), 0)))[0][0])

    def wall_s(self) -> float:
        """See ``Store.wall_s``: the server's, which is the same for all replicas."""
        return float(self.read(select(func.extract("epoch", func.clock_timestamp())))[0][0])

    @contextmanager
    def _transaction(self) -> Iterator[postgres.Connection]:
        """One transaction of the writer, its statements sent together where nobody waits for an answer between.

        After any error the connection is given up: the next transaction makes a new one.
        """
        try:
            if self._writing is None:
                self._writing = postgres.connect(self.address)
            with self._writing.pipeline(), self._writing.transaction():
                yield self._writing
        except BaseException as error:
            if self._writing is not None:
                self._writing.close()
                self._writing = None
            if isinstance(error, postgres.Error):
                raise self.explain(error) from error
            raise

    def close(self) -> None:
        """Close every connection; whoever waits for a database that hangs gets an error."""
        self._readers.dispose()
        self._seldom.dispose()
        self._others.end()
        if self._writing:
            postgres.end(self._writing)

    def explain(self, error: Exception) -> StateError:
        """See ``Store.explain``."""
        return postgres.explain(error, self.address)


def migrate_database(address: PostgresAddress) -> int:
    """Bring the database up to date; return the version it had. Raises StateError."""
    try:
        with _migrating(address) as connection:
            return migrate.upgrade(connection)
    except SQLAlchemyError as error:
        raise postgres.explain(error, address) from error


@contextmanager
def _migrating(address: PostgresAddress) -> Iterator[Connection]:
    """A transaction in which nobody else makes or changes tables."""
    engine = postgres.open_migrator(address)
    with engine.begin() as connection:
        connection.execute(text(_MIGRATION_LOCK))
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            message = f"{address.name} has the encoding {encoding}, which cannot hold every name"
            raise StateError(message, "createdb --encoding UTF8 --template template0")
        yield connection
