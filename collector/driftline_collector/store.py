"""The collector's store, whichever database it is.

In: deviations and agent states from the one writer thread; questions from reader threads. Out: what changed, with its
place in the order of changes; pages. Why revisions: a tail that knows the last revision it saw can go on after any
interruption without gap or duplicate, and a folded repeat is simply a newer revision of its deviation. What every store
promises: a revision that can be read is final, and none below it will ever appear. Next: ``store_sqlite`` and
``store_postgres`` are stores; ``writer`` commits; ``follow`` and ``listing`` read pages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector import store_clock
from driftline_collector.filters import DeviationFilter
from driftline_collector.schema import agents, counters, deviations, fragments, notes, outcomes
from driftline_collector.store_changes import ROW_BYTES
from driftline_collector.store_clock import StoreClock

SCAN_REVISIONS = 20_000
"""Revisions one query looks at: bounds a query that matches nothing to some ten milliseconds."""

EXPIRY_REVISIONS = 2_000
"""Oldest revisions that a look for expired ones takes in: the store's clock never runs backwards, so they are the
oldest by time as well."""

IN_USE = "baselines"
"""Topic of the notes of which node judges by what: a BaselinesInUse under each node's name."""

BYTES = "bytes"
REMOVED = "removed."
"""Names in the table ``counters``: what the deviations take; what was removed, by cause and severity."""


@dataclass(frozen=True, slots=True)
class Page:
    """Matches among the revisions between where the scan began and ``reached``."""

    deviations: list[pb.StoredDeviation]
    reached: int


class Candidate(NamedTuple):
    """A deviation that may be removed: its place, its severity, bytes of its body."""

    revision: int
    severity: int
    size: int


class Store(ABC):
    """An open store. Methods raise StateError if the database cannot do it now; it may a moment later."""

    shared = False
    """Whether other collectors commit to it too."""

    store_id: str
    """Revisions mean nothing in another store."""

    revision: int
    """The last one this collector knows to be committed."""

    clock: StoreClock
    """By which deviations grow old."""

    _readers: Engine

    @abstractmethod
    def commit(
        self, incoming: Iterable[deviation_pb2.Deviation], statuses: Iterable[pb.AgentStatus]
    ) -> list[pb.StoredDeviation]:
        """Store in one transaction; return what is new or changed, in order. Writer thread only.

        Raises StateError if nothing could be stored, or if nobody knows: what is delivered again is stored once.
        """

    @abstractmethod
    def remove(self, candidates: Sequence[Candidate], cause: str) -> list[tuple[int, int]]:
        """Remove what has not changed since it was a candidate, and count it. Writer thread only.

        Return revision and severity of each.
        """

    @abstractmethod
    def transaction(self, tell: bool = False) -> AbstractContextManager[Connection]:
        """Return one transaction, for what is written seldom. ``tell``: other replicas look at baselines at once.

        Writer thread only.
        """

    @abstractmethod
    def note(self, topic: str, bodies: Mapping[str, bytes | None]) -> None:
        """Keep each body under its name; None removes it. Writer thread only."""

    @abstractmethod
    def count(self, more: Mapping[str, int]) -> None:
        """Raise counters. Writer thread only."""

    @abstractmethod
    def newest(self) -> int:
        """Return the last revision that anybody has committed."""

    @abstractmethod
    def wall_s(self) -> float:
        """Return the Unix time that those who write to the store go by."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection."""

    @abstractmethod
    def explain(self, error: Exception) -> StateError:
        """Return what a database error means to a person, and what to try. No secret is in it."""

    def forget(self, nodes: Sequence[str]) -> None:
        """Remove what is kept of the agents of ``nodes``, besides their deviations. Writer thread only."""
        with self.transaction() as connection:
            for table in (agents, fragments, outcomes):
                connection.execute(table.delete().where(table.c.node.in_(nodes)))
            connection.execute(notes.delete().where(notes.c.topic == IN_USE, notes.c.name.in_(nodes)))

    def note_time(self) -> None:
        """Note what time it is. Writer thread only."""
        self.note(store_clock.TOPIC, {store_clock.NAME: self.clock.note(self.wall_s())})

    def _begin(self, connection: Connection) -> None:
        """Find out where the order of changes and the time go on."""
        stamped = select(deviations.c.revision, deviations.c.stored_s).order_by(deviations.c.revision.desc()).limit(1)
        self.revision, newest_s = connection.execute(stamped).first() or (0, 0)
        note = select(notes.c.body).where(notes.c.topic == store_clock.TOPIC, notes.c.name == store_clock.NAME)
        body = connection.execute(note).scalar_one_or_none()
        self.clock = StoreClock(store_clock.read_note(body), newest_s, self.wall_s())

    def agents(self) -> list[pb.AgentStatus]:
        """Return the last stored state of every agent."""
        return [pb.AgentStatus.FromString(row.body) for row in self.read(select(agents.c.body))]

    def notes(self, topic: str) -> dict[str, bytes]:
        """Return the bodies of ``topic`` by name."""
        query = select(notes.c.name, notes.c.body).where(notes.c.topic == topic).order_by(notes.c.name)
        return {row.name: bytes(row.body) for row in self.read(query)}

    def counters(self, prefix: str = REMOVED) -> dict[str, int]:
        """Return the counters whose names begin with ``prefix``. Without it: what was removed since the store was
        made, by cause and severity: ``removed.age.low``."""
        query = select(counters).where(counters.c.name.startswith(prefix, autoescape=True))
        return {row.name: row.value for row in self.read(query.order_by(counters.c.name))}

    def used_bytes(self) -> int:
        """Return what the deviations take, as counted with each commit.

        Not what the files take: a page, or a PostgreSQL table, shrinks long after its rows have gone, and whoever
        removed until it does would remove far too much.
        """
        found = self.read(select(counters.c.value).where(counters.c.name == BYTES))
        return int(found[0].value) if found else 0

    def expired(self, before_s: int, limit: int) -> list[Candidate]:
        """Return up to ``limit`` of the oldest deviations that the store's clock stamped before ``before_s``."""
        oldest = select(func.coalesce(func.min(deviations.c.revision), 0)).scalar_subquery()
        near = deviations.c.revision < oldest + EXPIRY_REVISIONS
        query = _candidates().where(deviations.c.stored_s < before_s, near).order_by(deviations.c.revision)
        return [Candidate(*row) for row in self.read(query.limit(limit))]

    def least(self, limit: int) -> list[Candidate]:
        """Return up to ``limit`` deviations: those of the lowest severity first, of these the oldest."""
        query = _candidates().order_by(deviations.c.severity, deviations.c.revision)
        return [Candidate(*row) for row in self.read(query.limit(limit))]

    def revision_before(self, since_wall_ns: int) -> int:
        """Return a revision after which everything lies that was last seen at ``since_wall_ns`` or later."""
        # "+ 0" keeps both databases from walking the table from its oldest row instead of the index on the time
        first = func.min(deviations.c.revision + 0).label("first")
        found = self.read(select(first).where(deviations.c.last_wall_ns >= since_wall_ns))[0].first
        return self.revision if found is None else int(found) - 1

    def forward(self, wanted: DeviationFilter, after: int, last: int, limit: int) -> Page:
        """Return up to ``limit`` matches, oldest change first, after revision ``after`` and not beyond ``last``."""
        revision = deviations.c.revision
        end = min(last, after + SCAN_REVISIONS)
        query = select(revision, deviations.c.body).where(revision > after, revision <= end, *wanted.conditions())
        return self._page(query.order_by(revision).limit(limit), wanted, limit, end)

    def backward(self, wanted: DeviationFilter, before: int | None, limit: int) -> Page:
        """Return up to ``limit`` matches, newest change first, before revision ``before``; None: from the newest on.

        None is no number for a reason: a change of this moment gives its deviation a higher one than any looked up.
        """
        revision = deviations.c.revision
        end = max(1, (self.newest() + 1 if before is None else before) - SCAN_REVISIONS)
        newer = () if before is None else (revision < before,)
        query = select(revision, deviations.c.body).where(*newer, revision >= end, *wanted.conditions())
        return self._page(query.order_by(revision.desc()).limit(limit), wanted, limit, end)

    def _page(self, query: Any, wanted: DeviationFilter, limit: int, end: int) -> Page:
        rows = self.read(query)
        stored = [
            pb.StoredDeviation(revision=revision, deviation=deviation_pb2.Deviation.FromString(body))
            for revision, body in rows
        ]
        matches = [item for item in stored if wanted.matches(item.deviation)]
        return Page(matches, rows[-1].revision if len(rows) == limit else end)

    def read(self, query: Any) -> Sequence[Any]:
        """Return the rows of ``query``."""
        try:
            with self._readers.connect() as connection:
                return connection.execute(query).all()
        except SQLAlchemyError as error:
            raise self.explain(error) from error


def _candidates() -> Any:
    """The newest one always stays: the order of changes goes on from it, also after a restart."""
    newest = select(func.max(deviations.c.revision)).scalar_subquery()
    columns = deviations.c.revision, deviations.c.severity, func.length(deviations.c.body)
    return select(*columns).where(deviations.c.revision < newest)


def raised(cause: str, removed: Iterable[tuple[int, int, int]]) -> dict[str, int]:
    """Return by how much each counter grows when ``removed`` (revision, severity, size) went for ``cause``."""
    found = {BYTES: 0}
    for _, severity, size in removed:
        name = f"{REMOVED}{cause}.{deviation_pb2.Severity.Name(severity).removeprefix('SEVERITY_').lower()}"
        found[name] = found.get(name, 0) + 1
        found[BYTES] -= size + ROW_BYTES
    return found
