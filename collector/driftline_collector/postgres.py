"""How PostgreSQL is reached; the only importer of psycopg.

In: an address. Out: connections with the time limits that keep one stuck replica from holding up the others, and the
meaning of errors. Why so many limits: a transaction holds the order of changes for everybody; whoever loses its network
in the middle of one must lose it within seconds. Next: ``store_postgres``, ``notices``.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.pool import NullPool, QueuePool

from driftline.errors import SettingsError, StateError
from driftline.text import escape
from driftline_collector.schema import READERS
from driftline_collector.store_address import PostgresAddress

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.pq import TransactionStatus
except ImportError as missing:
    raise SettingsError("psycopg is not installed", "pip install 'driftline[postgresql]'") from missing

logging.getLogger("psycopg").setLevel(logging.ERROR)  # its warnings about lost connections: we tell of them ourselves

Connection = psycopg.Connection[Any]
Error = psycopg.Error

CONNECT_SECONDS = 5
"""How long one address may take to answer; agents wait meanwhile."""

LOCK_MS = 10_000
"""How long to wait for other replicas' commits: each takes some milliseconds."""

STATEMENT_MS = 15_000
"""How long one statement may take; the largest commit takes well under a second."""

IDLE_MS = 10_000
"""How long the server lets a transaction of ours wait for its next statement: then our host is gone."""

_TCP = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
_DEAD_HOST = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=20000"
)
"""If our host dies, the server notices within 25 s: by the user timeout if an answer is under way, for then it sends no
keepalive, and TCP itself gives up after a quarter of an hour. Without it our connections would count for two hours."""

_WRITER = f"{_DEAD_HOST} -c lock_timeout={LOCK_MS} -c statement_timeout={STATEMENT_MS} " + (
    f"-c idle_in_transaction_session_timeout={IDLE_MS}"
)
_READER = f"{_DEAD_HOST} -c statement_timeout={STATEMENT_MS}"
LEASE = f"{_WRITER} -c synchronous_commit=off"
"""Options of a session that holds something others wait for. What it notes may be lost by a crash of the server, and
costs no flush."""

_GOES_ON = "the collector goes on by itself once it can"
_HINTS = {
    "53100": f"make room on PostgreSQL's disk, or keep less with --keep-bytes; {_GOES_ON}",
    "53300": f"raise PostgreSQL's max_connections (a collector takes up to {READERS + 4}); {_GOES_ON}",
    "25006": "give the address of the primary, or end default_transaction_read_only; the collector goes on by itself",
    "42501": "GRANT CREATE, USAGE ON SCHEMA public TO the collector's user, or make it the database's owner",
    "42P01": "driftline collector migrate --store ...",
    "55P03": f"look what holds the lock (pg_stat_activity, pg_locks); {_GOES_ON}",
}
_TEXTS = {
    "authentication failed": "look at --store-password-file, PGPASSFILE or PGPASSWORD, and at pg_hba.conf",
    "no password supplied": "give it with --store-password-file, PGPASSFILE or PGPASSWORD",
    "certificate": "give the CA with sslrootcert=FILE in --store (docs/collector.md)",
    "does not exist": "createdb, createuser (docs/collector.md)",
    "read-only": _HINTS["25006"],
}
"""Errors of connecting have no code: what their text holds."""


def connect(address: PostgresAddress, options: str = _WRITER) -> Connection:
    """Return a connection, each statement a transaction of its own unless told otherwise.

    Raises psycopg.Error, or SettingsError for a password file that cannot be used.
    """
    try:
        given = conninfo_to_dict(address.url)
    except psycopg.ProgrammingError:  # its text repeats what was typed
        raise SettingsError("--store is not an address that PostgreSQL's library understands") from None
    settings: dict[str, Any] = {
        "application_name": "driftline-collector",
        "connect_timeout": CONNECT_SECONDS,
        "target_session_attrs": "read-write",
        **_TCP,
        **given,
        "options": f"{given.get('options', '')} {options}".strip(),
    }
    if not address.local and not os.environ.get("PGSSLMODE"):
        settings.setdefault("sslmode", "verify-full")
    if password := address.password():
        settings["password"] = password
    return psycopg.connect(**settings, autocommit=True)


def end(connection: Connection) -> None:
    """End a connection. A thread that waits on it gets an error at once, whatever the server does, and closes it."""
    if connection.info.transaction_status in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN):
        connection.close()
        return
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
    except (OSError, Error):  # it has ended by itself
        pass


class Opened:
    """Connections that are open, to be ended by whichever thread closes the store; after that none is opened."""

    def __init__(self) -> None:
        self._open: WeakSet[Connection] = WeakSet()
        self._ended = False
        self._lock = threading.Lock()

    def add(self, connection: Connection) -> Connection:
        """Return ``connection``. Raises psycopg.Error, and closes it, if the store was closed meanwhile."""
        with self._lock:
            if not self._ended:
                self._open.add(connection)
                return connection
        connection.close()
        raise psycopg.OperationalError("the store is closed")

    def end(self) -> None:
        """End them all."""
        with self._lock:
            self._ended, found = True, list(self._open)
        for connection in found:
            end(connection)


def open_readers(address: PostgresAddress, opened: Opened) -> Engine:
    """Return an engine of at most READERS connections that survive a restart of the server; they are in ``opened``."""

    def connect_reader() -> Connection:
        return opened.add(connect(address, _READER))

    return sqlalchemy_engine(
        "postgresql+psycopg://",
        creator=connect_reader,
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=0,
        pool_pre_ping=True,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
    )


def open_writer(address: PostgresAddress, opened: Opened) -> Engine:
    """Return an engine of one connection for what the writer thread writes seldom; it is in ``opened``."""

    def connect_writer() -> Connection:
        connection = opened.add(connect(address))
        connection.autocommit = False
        return connection

    return sqlalchemy_engine(
        "postgresql+psycopg://",
        creator=connect_writer,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def open_migrator(address: PostgresAddress) -> Engine:
    """Return an engine for changing tables, which may take as long as it takes."""

    def in_transactions() -> Connection:
        connection = connect(address, "")
        connection.autocommit = False
        return connection

    return sqlalchemy_engine("postgresql+psycopg://", creator=in_transactions, poolclass=NullPool, hide_parameters=True)


def explain(error: Exception, address: PostgresAddress) -> StateError:
    """Return what a database error means to a person. Neither libpq nor the server repeats a password."""
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(cause).split()).partition(" This probably means")[0]  # libpq guesses at length
    code = getattr(cause, "sqlstate", None) or ""
    found = _HINTS.get(code) or next((hint for part, hint in _TEXTS.items() if not code and part in text), "")
    hint = found or f"look whether PostgreSQL runs and can be reached; {_GOES_ON}"
    return StateError(f"cannot use the store {address.name}: {escape(text)}", hint)
