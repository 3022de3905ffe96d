"""Baselines in the store: what nodes learned, what people published and revoked, and what became of that.

In: fragments, published baselines, revocations, outcomes. Out: rows. Everything is SQLAlchemy Core, alike in SQLite and
PostgreSQL: it runs seldom. Why contents are kept in pieces of their own: the one writer has deviations waiting behind
it, so no step may take long, and a piece is read when it is sent. Functions that take a ``Store`` are for the writer
thread; the others return queries for readers. Next: ``fleet`` and ``intake`` write, ``exchange`` and ``baselines``
read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline_collector.schema import counters, fragments, outcomes, pieces, published, revocations
from driftline_collector.store import Store

FRAGMENTS = 20_000
"""Fragments kept: at some 50 KB a GiB. Beyond it the one that was used longest ago goes."""

PUBLISHED = 10_000
"""Names that can be published, five times what one node can use."""

REVOCATIONS = 10_000
"""Revocations kept, as many as an agent remembers; beyond it the oldest goes, there as here."""

PLACE = "baselines.place"
"""The counter that orders what is published and revoked; its row is locked until the commit, so none appears late."""

SWEEP_WHOLES = 50
"""Contents removed in one step."""


class Kept(NamedTuple):
    """Content that is kept in pieces. ``whole`` names them."""

    whole: str
    size: int
    sha256: bytes


class Fragment(NamedTuple):
    """What one node learned of one image."""

    name: str
    node: str
    image: str
    learned: baseline_pb2.LearnedPart
    kept: Kept


class InForce(NamedTuple):
    """What was published of one name last."""

    name: str
    image: str
    said: baseline_pb2.Published
    kept: Kept
    place: int


class Outcome(NamedTuple):
    """What became of something on a node. ``revoked``: the version of a revocation, empty for what was published."""

    node: str
    name: str
    revoked: str
    state_id: str
    version: str
    outcome: int
    reason: str


# --- writing, in the writer thread -----------------------------------------------------------------------------------


def add_pieces(store: Store, whole: str, first: int, data: Sequence[bytes]) -> None:
    """Keep some pieces of a content, the first of them at place ``first``."""
    now = store.clock.now()
    rows = [{"whole": whole, "place": place, "data": piece, "stored_s": now} for place, piece in enumerate(data, first)]
    with store.transaction() as connection:
        connection.execute(pieces.insert(), rows)


def keep_fragment(store: Store, one: Fragment) -> int:
    """Keep a fragment, whose pieces are kept, in place of an older one; return how many had to make room."""
    row = {
        "name": one.name,
        "node": one.node,
        "version": one.learned.version,
        "revision": one.learned.revision,
        "image": one.image,
        "body": one.learned.SerializeToString(),
        "used_s": store.clock.now(),
        **one.kept._asdict(),
    }
    mine = (fragments.c.name == one.name) & (fragments.c.node == one.node)
    with store.transaction() as connection:
        _drop_pieces(connection, [found.whole for found in connection.execute(select(fragments.c.whole).where(mine))])
        _put(connection, fragments, [row], "name", "node")
        return _make_room(connection)


def _make_room(connection: Connection) -> int:
    surplus = connection.execute(select(func.count()).select_from(fragments)).scalar_one() - FRAGMENTS
    if surplus <= 0:
        return 0
    oldest = select(fragments.c.name, fragments.c.node, fragments.c.whole).order_by(
        fragments.c.used_s, fragments.c.whole
    )
    return _drop_fragments(connection, connection.execute(oldest.limit(surplus)).all())


def _drop_fragments(connection: Connection, rows: Sequence[Any]) -> int:
    for row in rows:
        connection.execute(fragments.delete().where(fragments.c.name == row.name, fragments.c.node == row.node))
    _drop_pieces(connection, [row.whole for row in rows])
    return len(rows)


def publish(store: Store, one: InForce) -> str:
    """Put what is kept in pieces in force, as ``one`` says besides its place; return why not, "" if done."""
    said, name = one.said, one.name
    with store.transaction(tell=True) as connection:
        place = _next_place(connection)
        revoked = select(revocations.c.version).where(revocations.c.name == name)
        if said.version in {row.version for row in connection.execute(revoked)}:
            return f"version {said.version} is revoked: it never comes into force again"
        before = connection.execute(select(published).where(published.c.name == name)).one_or_none()
        if before is None:
            if connection.execute(select(func.count()).select_from(published)).scalar_one() >= PUBLISHED:
                return f"{PUBLISHED} baselines are published already"
        elif wrong := _not_above(said, baseline_pb2.Published.FromString(before.body)):
            return wrong
        else:
            _drop_outcomes(connection, name, same=bytes(before.sha256) == one.kept.sha256)
            _drop_pieces(connection, [before.whole])
        row = {"name": name, "place": place, "image": one.image, "body": said.SerializeToString(), **one.kept._asdict()}
        _put(connection, published, [row], "name")
    return ""


def _not_above(said: baseline_pb2.Published, before: baseline_pb2.Published) -> str:
    """Why ``said`` cannot follow ``before``. The same content may come again, then perhaps signed."""
    again = said.revision == before.revision and said.version == before.version
    if said.revision > before.revision or again:
        return ""
    return f"revision {before.revision} was published before: this one must be above it, and is {said.revision}"


def _drop_outcomes(connection: Connection, name: str, same: bool) -> None:
    """Let nodes be asked (again): all of them, or if they have the ``same`` already, those that did not take it."""
    gone = outcomes.delete().where(outcomes.c.name == name, outcomes.c.revoked == "")
    connection.execute(gone.where(outcomes.c.outcome != baseline_pb2.OUTCOME_TAKEN) if same else gone)


def revoke(store: Store, one: baseline_pb2.Revocation) -> int:
    """Keep a revocation, in place of one of the same version; return how many older ones had to make room."""
    key = (revocations.c.name == one.name) & (revocations.c.version == one.version)
    with store.transaction(tell=True) as connection:
        place = _next_place(connection)
        row = {"name": one.name, "version": one.version, "place": place, "body": one.SerializeToString()}
        if connection.execute(select(revocations.c.place).where(key)).one_or_none() is not None:
            again = (outcomes.c.name == one.name) & (outcomes.c.revoked == one.version)
            connection.execute(outcomes.delete().where(again))
        _put(connection, revocations, [row], "name", "version")
        surplus = connection.execute(select(func.count()).select_from(revocations)).scalar_one() - REVOCATIONS
        if surplus <= 0:
            return 0
        oldest = select(revocations.c.place).order_by(revocations.c.place).limit(surplus)
        return connection.execute(revocations.delete().where(revocations.c.place.in_(oldest))).rowcount


def _next_place(connection: Connection) -> int:
    statement = _INSERT[connection.dialect.name](counters).values(name=PLACE, value=1)
    raised = statement.on_conflict_do_update(index_elements=["name"], set_={"value": counters.c.value + 1})
    return int(connection.execute(raised.returning(counters.c.value)).scalar_one())


def keep_outcomes(store: Store, found: Iterable[Outcome]) -> None:
    """Keep outcomes, each in place of an older one."""
    rows = [one._asdict() for one in sorted(found)]  # in one order: two replicas must not wait for each other
    with store.transaction() as connection:
        _put(connection, outcomes, rows, "node", "name", "revoked")


def drop_other_states(store: Store, node: str, state_id: str) -> None:
    """Forget what became of things in a state directory that is gone."""
    with store.transaction() as connection:
        connection.execute(outcomes.delete().where(outcomes.c.node == node, outcomes.c.state_id != state_id))


def touch(store: Store, names: Sequence[str], before_s: int) -> None:
    """Note that ``names`` are used now, where that was noted before ``before_s``, by the store's clock."""
    with store.transaction() as connection:
        stale = fragments.update().where(fragments.c.name.in_(names), fragments.c.used_s < before_s)
        connection.execute(stale.values(used_s=store.clock.now()))


def sweep(store: Store, unused_s: int, orphaned_s: int) -> tuple[int, int]:
    """Remove some fragments that were used before ``unused_s``, and some contents without an owner from before
    ``orphaned_s``, by the store's clock (a crash came between a content and its row); return how many of each."""
    old = select(fragments.c.name, fragments.c.node, fragments.c.whole).where(fragments.c.used_s < unused_s)
    owned = select(fragments.c.whole).union_all(select(published.c.whole))
    lost = select(pieces.c.whole).where(pieces.c.place == 0, pieces.c.stored_s < orphaned_s)
    with store.transaction() as connection:
        gone = _drop_fragments(connection, connection.execute(old.limit(SWEEP_WHOLES)).all())
        wholes = connection.execute(lost.where(pieces.c.whole.not_in(owned)).limit(SWEEP_WHOLES)).scalars().all()
        _drop_pieces(connection, wholes)
        return gone, len(wholes)


def _drop_pieces(connection: Connection, wholes: Sequence[str]) -> None:
    if wholes:
        connection.execute(pieces.delete().where(pieces.c.whole.in_(wholes)))


def _put(connection: Connection, table: Table, rows: list[dict[str, Any]], *key: str) -> None:
    statement = _INSERT[connection.dialect.name](table)
    others = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=others), rows)


_INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

# --- questions for readers -------------------------------------------------------------------------------------------


def piece(whole: str, place: int) -> Any:
    """Ask for one piece: a row or none, of ``data``."""
    return select(pieces.c.data).where(pieces.c.whole == whole, pieces.c.place == place)


def fragments_of(name: str, node: str = "") -> Any:
    """Ask for the fragments of ``name``, by node; or for that of one node."""
    query = select(fragments).where(fragments.c.name == name).order_by(fragments.c.node)
    return query.where(fragments.c.node == node) if node else query


def held_by(node: str) -> Any:
    """Ask for name, version and revision of what the store has of ``node``."""
    return select(fragments.c.name, fragments.c.version, fragments.c.revision).where(fragments.c.node == node)


def learned() -> Any:
    """Ask for name, image and LearnedPart (``body``) of every fragment."""
    return select(fragments.c.name, fragments.c.image, fragments.c.body)


def published_between(place: int, last: int) -> Any:
    """Ask for what was published after ``place`` and up to ``last``: what comes later may not be all there yet."""
    return select(published).where(published.c.place > place, published.c.place <= last).order_by(published.c.place)


def revoked_between(place: int, last: int) -> Any:
    """Ask for what was revoked after ``place`` and up to ``last``."""
    between = revocations.c.place > place, revocations.c.place <= last
    return select(revocations).where(*between).order_by(revocations.c.place)


def last_place() -> Any:
    """Ask for the last place anything was published or revoked at: a row or none, of ``value``."""
    return select(counters.c.value).where(counters.c.name == PLACE)


def outcomes_on(node: str) -> Any:
    """Ask for what became of everything on ``node``."""
    return select(outcomes).where(outcomes.c.node == node)


def outcomes_of(name: str) -> Any:
    """Ask for what became of what was published of ``name``, on every node."""
    return select(outcomes).where(outcomes.c.name == name, outcomes.c.revoked == "")


def outcomes_of_revocations(name: str, versions: Sequence[str]) -> Any:
    """Ask for what became of the revocations of ``versions`` of ``name``, on every node."""
    return select(outcomes).where(outcomes.c.name == name, outcomes.c.revoked.in_(versions))


def refused_revocations() -> Any:
    """Ask for ``node``, ``name`` and ``revoked`` of every revocation that a node refused."""
    columns = outcomes.c.node, outcomes.c.name, outcomes.c.revoked
    return select(*columns).where(outcomes.c.revoked != "", outcomes.c.outcome == baseline_pb2.OUTCOME_REFUSED)


def outcome_counts() -> Any:
    """Ask for ``nodes``, how many, by name, version and outcome, of what was published."""
    columns = outcomes.c.name, outcomes.c.version, outcomes.c.outcome
    return select(*columns, func.count().label("nodes")).where(outcomes.c.revoked == "").group_by(*columns)


def fragment_count() -> Any:
    """Ask for how many fragments there are."""
    return select(func.count()).select_from(fragments)


def kept(row: Any) -> Kept:
    """Return the content of a row of fragments or published."""
    return Kept(row.whole, row.size, bytes(row.sha256))


def in_force(row: Any) -> InForce:
    """Return a row of published."""
    said = baseline_pb2.Published.FromString(row.body)
    return InForce(row.name, row.image, said, kept(row), row.place)
