"""Bring a database's tables up to date.

In: a connection in a transaction. Out: the version it had and the one it has. Why Alembic is imported so late: it costs
a tenth of a second and 15 MiB, and hardly any start needs it. Next: ``store_sqlite``, ``store_postgres``,
``driftline collector migrate``.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from driftline_collector import schema


def upgrade(connection: Connection) -> int:
    """Make the tables those of SCHEMA_VERSION; return the version found. Raises StateError if that is a newer one.

    The caller commits; until then nothing has happened.
    """
    found = schema.version(connection)
    schema.refuse_newer(found)
    if found == 0:
        schema.create(connection)
    elif found < schema.SCHEMA_VERSION:
        _run(connection, found)
    return found


def _run(connection: Connection, found: int) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if found == 1:  # made before Alembic: its version is only in the file's header
        command.stamp(config, "0001")
    command.upgrade(config, f"{schema.SCHEMA_VERSION:04}")
    schema.note(connection)
