"""Which of several collectors on one PostgreSQL sends an output, and how far that output is.

In: an output's name. Out: a lease that one collector at a time has, and what is kept with it. Why an advisory lock of
a session: PostgreSQL gives it to the next one when the session ends, whatever ended it. Why progress is written on that
very session: whoever lost the lease cannot write it any more, and so never takes back what its successor noted. What a
collector was sending when it lost the lease may arrive twice. One connection for all outputs, made when it is needed.
Next: ``progress``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from driftline.errors import StateError
from driftline.text import escape
from driftline_collector import postgres
from driftline_collector.outputs.progress import State, parse
from driftline_collector.store_address import PostgresAddress

SAVE_SECONDS = 0.05
"""Between two notes of the progress while much is sent: what a successor repeats is bounded by it. No flush is waited
for (``postgres.LEASE``): if the database's host dies, some more is repeated."""

TOPIC = "outputs"
"""Of the notes that hold the progress, by the output's name."""

_TAKE = "SELECT pg_try_advisory_lock(hashtextextended('driftline output ' || 'notes'::regclass::oid || ' ' || %s, 0))"
_READ = "SELECT name, body FROM notes WHERE topic = %s"
_WRITE = """
    INSERT INTO notes (topic, name, body) VALUES (%s, %s, %b)
    ON CONFLICT (topic, name) DO UPDATE SET body = excluded.body
"""

_log = logging.getLogger(__name__)


class Leases:
    """The leases of one collector on the store at ``address``. Methods raise StateError if the database cannot do it
    now; any thread may call them."""

    def __init__(self, address: PostgresAddress) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._connection: postgres.Connection | None = None
        self._held: set[str] = set()

    def take(self, name: str) -> bool:
        """Return whether the lease of output ``name`` is ours, after trying to get it."""
        with self._using() as connection:
            if name not in self._held and connection.execute(_TAKE, [name]).fetchall()[0][0]:
                self._held.add(name)
            return name in self._held

    def holds(self, name: str) -> bool:
        """Return whether the lease is still ours, which the database is asked."""
        if name not in self._held:
            return False
        try:
            with self._using() as connection:
                connection.execute("SELECT 1")
        except StateError:
            pass
        return name in self._held

    def read(self, name: str) -> bytes | None:
        """Return what was written last, by whichever collector."""
        with self._using() as connection:
            found = connection.execute(f"{_READ} AND name = %s", [TOPIC, name], binary=True).fetchall()
        return bytes(found[0][1]) if found else None

    def write(self, name: str, body: bytes) -> None:
        """Keep ``body``, only if the lease is ours."""
        with self._using() as connection:
            if name not in self._held:
                raise StateError(f"the lease of output {name} is lost: its session has ended")
            connection.execute(_WRITE, [TOPIC, name, body])

    def close(self) -> None:
        """Give up every lease; whoever waits for a database that hangs gets an error."""
        if connection := self._connection:
            postgres.end(connection)

    @contextmanager
    def _using(self) -> Iterator[postgres.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = postgres.connect(self._address, postgres.LEASE)
                yield self._connection
            except postgres.Error as error:
                if self._connection is not None and self._connection.closed:
                    self._connection = None
                    self._held.clear()
                raise postgres.explain(error, self._address) from error


class LeasePlace:
    """The place of output ``name`` in a shared store; see ``progress.Place``."""

    def __init__(self, leases: Leases, name: str) -> None:
        self._leases = leases
        self._name = name

    @property
    def pause_s(self) -> float:
        """See ``Place``."""
        return SAVE_SECONDS

    def claim(self) -> bool:
        """See ``Place``."""
        return self._leases.take(self._name)

    def holds(self) -> bool:
        """See ``Place``."""
        return self._leases.holds(self._name)

    def read(self) -> State | None:
        """See ``Place``."""
        body = self._leases.read(self._name)
        try:
            return None if body is None else parse(body, f"what the store notes of output {escape(self._name)}")
        except StateError as error:
            _log.warning("%s; the output begins with the oldest stored deviation", error.args[0])
            return State()

    def write(self, content: bytes) -> None:
        """See ``Place``."""
        self._leases.write(self._name, content)


def states(address: PostgresAddress) -> dict[str, State]:
    """Return how far each output of the store at ``address`` is, by name. Raises StateError."""
    try:
        with postgres.connect(address) as connection:
            rows = connection.execute(f"{_READ} ORDER BY name", [TOPIC], binary=True).fetchall()
    except postgres.Error as error:
        raise postgres.explain(error, address) from error
    return {name: parse(bytes(body), f"what the store notes of output {escape(name)}") for name, body in rows}
