"""The collector's tables, alike in SQLite and PostgreSQL, and which version of them a database holds.

In: a connection. Out: SQLAlchemy tables; the version found; a new database filled with them. Why numbers: a program
must neither write into tables it does not know nor guess what an older one meant. Next: ``migrate`` brings older ones
up to date, ``store_sqlite`` and ``store_postgres`` open them.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, LargeBinary, MetaData, Table, Text, inspect, text

from driftline.errors import StateError

SCHEMA_VERSION = 4
"""The version these tables have; ``migrations/versions`` has a step to each."""

READERS = 4
"""Connections that read at the same time: two cores are busy with that, and more would only starve ingest."""

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
    Column("sha256", Text, nullable=False),  # found out after the deviation was told; see store_changes
    Column("body", LargeBinary, nullable=False),  # driftline.v1.Deviation; the columns are copies to search by
    # Seconds of the store's own clock: how long it is kept depends on no clock that somebody sets; see store_clock
    Column("stored_s", BigInteger, nullable=False),
    # An id is unique per node only: one agent must not be able to overwrite what another reported.
    Index("deviations_id", "id", "node", unique=True),
    Index("deviations_last", "last_wall_ns", "revision"),
    Index("deviations_severity", "severity", "revision"),  # what goes first when space is short
)

agents = Table(
    "agents",
    metadata,
    Column("node", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),  # driftline.v1.AgentStatus
)

properties = Table("properties", metadata, Column("name", Text, primary_key=True), Column("value", Text))

counters = Table(
    "counters", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)

notes = Table(
    "notes",
    metadata,
    # What the collector and people note beside the deviations, by topic: silences, episodes. Few and small.
    Column("topic", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

fragments = Table(
    "fragments",
    metadata,
    # What one node learned of one image. Names of baselines and nodes are escaped, as on the wire.
    Column("name", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("image", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # driftline.v1.LearnedPart
    Column("whole", Text, nullable=False),  # names its rows in pieces
    Column("size", BigInteger, nullable=False),  # of the whole, bytes
    Column("sha256", LargeBinary, nullable=False),  # of the whole
    Column("used_s", BigInteger, nullable=False),  # when a node was last known to use it, by the store's clock
    Index("fragments_node", "node"),
)

published = Table(
    "published",
    metadata,
    # What people put in force, the newest of each name. It stays when it is revoked: versions count up from it.
    Column("name", Text, primary_key=True),
    Column("place", BigInteger, nullable=False),  # in the order of what was published and revoked
    Column("image", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # driftline.v1.Published
    Column("whole", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
)

revocations = Table(
    "revocations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("place", BigInteger, nullable=False),  # as in published
    Column("body", LargeBinary, nullable=False),  # driftline.v1.Revocation
)

outcomes = Table(
    "outcomes",
    metadata,
    # What became of what was published or revoked, on each node.
    Column("node", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("revoked", Text, primary_key=True),  # the version of a revocation, empty for what was published
    Column("state_id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("outcome", Integer, nullable=False),  # driftline.v1.Outcome
    Column("reason", Text, nullable=False),
    Index("outcomes_name", "name", "revoked"),
)

pieces = Table(
    "pieces",
    metadata,
    # The content of fragments and of what is published, cut as it is sent, so that no write or read takes long.
    Column("whole", Text, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("stored_s", BigInteger, nullable=False),
)

VERSION_TABLE = "alembic_version"
"""Where Alembic notes the version."""


def version(connection: Connection) -> int:
    """Return the version of the tables in the database, 0 if it is empty. Raises StateError if it is none of ours."""
    if inspect(connection).has_table(VERSION_TABLE):
        found = str(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar())
        if not (found.isascii() and found.isdigit()):
            raise StateError(f"the database has schema '{found:.20}', which is not Driftline's", "use one of its own")
        return int(found)
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())  # version 1 was only noted here
    return 0


def refuse_newer(found: int) -> None:
    """Raise StateError if ``found`` is a version of the future."""
    if found > SCHEMA_VERSION:
        raise StateError(
            f"the database has schema {found}, this driftline knows those up to {SCHEMA_VERSION}",
            "use the driftline version that made it, or a newer one",
        )


def create(connection: Connection) -> None:
    """Fill an empty database. A test holds this and the sum of all migrations together."""
    metadata.create_all(connection, checkfirst=False)
    key = f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num)"
    connection.exec_driver_sql(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, {key})")
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES (:version)"), {"version": f"{SCHEMA_VERSION:04}"})
    note(connection)


def note(connection: Connection) -> None:
    """Tell programs that look into a SQLite file's header, as version 1 did, which version it has."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
