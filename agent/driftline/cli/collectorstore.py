"""``driftline collector backup``, ``restore`` and ``migrate``.

In: a state directory or a database's address, a file. Out: a copy of the store, a store from a copy, tables of today.
Next: ``driftline_collector.backup`` and ``migrate``.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.collector import DEFAULT_STATE
from driftline.errors import SettingsError
from driftline.text import escape

_State = Annotated[Path, typer.Option(metavar="DIR", help="The collector's state directory.")]
_Store = Annotated[str, typer.Option(metavar="URL", help="postgresql://... if the store is not in --state.")]
_Password = Annotated[Path | None, typer.Option(metavar="FILE", help="File with the password for --store.")]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="New file for the copy.")],
    state: _State = DEFAULT_STATE,
    store: _Store = "",
) -> None:
    """Copy the store into a file while the collector runs.

    The copy is of one moment, checked, and readable by you only. Tokens and certificates are not in it.
    """
    from driftline_collector import backup as backups

    _not_for_postgresql(store, "backed up", f"pg_dump --format=custom --file {shlex.quote(str(file))}")
    size = backups.backup(state, file)
    typer.echo(f"the store is in {escape(str(file))} ({size:,} bytes)")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File that `backup` made.")],
    state: _State = DEFAULT_STATE,
    store: _Store = "",
) -> None:
    """Replace the store by a copy; the collector must not run.

    The file is checked first. The store that was there is kept beside the new one. Tails begin anew: what the restored
    store does not hold cannot be gone on from.
    """
    from driftline_collector import backup as backups

    command = f"pg_restore --clean --if-exists --single-transaction {shlex.quote(str(file))} --dbname"
    _not_for_postgresql(store, "restored", command)
    kept = backups.restore(file, state)
    typer.echo(f"the store in {escape(str(state))} is restored from {escape(str(file))}")
    if kept is not None:
        typer.echo(f"the one before is {escape(str(kept))}; remove it when you no longer need it")


def migrate(state: _State = DEFAULT_STATE, store: _Store = "", store_password_file: _Password = None) -> None:
    """Bring the store's tables to the version this driftline writes.

    All or nothing happens. A SQLite store is migrated by the collector's start as well; a PostgreSQL store only by this
    command, once, while its replicas may run. Make a backup first.
    """
    from driftline_collector.schema import SCHEMA_VERSION
    from driftline_collector.store_address import parse_store

    address = parse_store(store, store_password_file)
    if address is None:
        from driftline_collector.store_sqlite import migrate_file

        name, found = f"the store in {escape(str(state))}", migrate_file(state)
    else:
        from driftline_collector.store_postgres import migrate_database

        name, found = address.name, migrate_database(address)
    done = {0: f"was empty and has schema {SCHEMA_VERSION} now", SCHEMA_VERSION: f"has schema {found} already"}
    typer.echo(f"{name} {done.get(found, f'had schema {found} and has {SCHEMA_VERSION} now')}")


def _not_for_postgresql(store: str, done: str, command: str) -> None:
    from driftline_collector.store_address import parse_store

    if parse_store(store) is not None:
        raise SettingsError(
            f"a PostgreSQL store is {done} with PostgreSQL's own tools (docs/collector.md)",
            f"{command} {shlex.quote(store)}",
        )
