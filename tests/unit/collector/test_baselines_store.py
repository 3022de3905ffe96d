"""What the store keeps of baselines stays within its limits, and loses nothing that somebody needs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import baselines_store
from driftline_collector.baselines_store import Fragment, InForce, Kept, Outcome
from driftline_collector.schema import fragments, outcomes, pieces
from driftline_collector.store import IN_USE
from driftline_collector.store_sqlite import SqliteStore
from unit.wire import samples

DAY = 86_400
_NUMBERS = itertools.count(1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    one = SqliteStore(tmp_path)
    yield one
    one.close()


def keep(store: SqliteStore, whole: str) -> Kept:
    baselines_store.add_pieces(store, whole, 0, [b"ab"])
    baselines_store.add_pieces(store, whole, 1, [b"c"])
    return Kept(whole, 3, whole.encode())


def learn(store: SqliteStore, name: str, node: str = "node-a", revision: int = 1) -> int:
    part = baseline_pb2.LearnedPart(version="v", revision=revision)
    return baselines_store.keep_fragment(
        store, Fragment(name, node, "web:1", part, keep(store, f"{name} {node} {revision}"))
    )


def publish(store: SqliteStore, name: str, revision: int, content: bytes = b"") -> str:
    said = baseline_pb2.Published(version=f"v{revision}", revision=revision)
    kept = keep(store, f"{name} published {next(_NUMBERS)}")._replace(sha256=content or str(revision).encode())
    return baselines_store.publish(store, InForce(name, "web:1", said, kept, 0))


def revoke(store: SqliteStore, name: str, version: str) -> int:
    return baselines_store.revoke(store, baseline_pb2.Revocation(name=name, version=version))


def wholes(store: SqliteStore) -> set[str]:
    return {row.whole for row in store.read(pieces.select())}


def names(store: SqliteStore) -> list[str]:
    return sorted(row.name for row in store.read(fragments.select()))


def outcome(store: SqliteStore, node: str, revoked: str = "", kind: int = baseline_pb2.OUTCOME_TAKEN) -> None:
    baselines_store.keep_outcomes(store, [Outcome(node, "a", revoked, "s", revoked or "v1", kind, "")])


def test_a_replaced_content_is_gone(store: SqliteStore) -> None:
    for revision in (1, 2):
        learn(store, "a", revision=revision)
        assert publish(store, "a", revision) == ""
    (public,) = store.read(baselines_store.published_between(0, 99))
    assert wholes(store) == {"a node-a 2", public.whole}
    (row,) = store.read(baselines_store.fragments_of("a"))
    read = [store.read(baselines_store.piece(row.whole, place)) for place in range(3)]
    assert [rows[0].data if rows else b"" for rows in read] == [b"ab", b"c", b""]


def test_beyond_the_limit_the_one_unused_for_longest_goes(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines_store, "FRAGMENTS", 2)
    now = store.clock.now
    for place, name in enumerate("abc"):
        monkeypatch.setattr(store.clock, "now", lambda place=place: now() + place)
        dropped = learn(store, name)
    assert (dropped, names(store), wholes(store)) == (1, ["b", "c"], {"b node-a 1", "c node-a 1"})


def test_what_nobody_used_for_long_and_what_nobody_owns_is_swept(store: SqliteStore) -> None:
    for name in "abc":
        learn(store, name)
    publish(store, "p", 1)
    (public,) = store.read(baselines_store.published_between(0, 99))
    keep(store, "lost")
    now = store.clock.now()
    later = now + 200 * DAY
    store.clock.now = lambda: later  # type: ignore[method-assign]
    baselines_store.touch(store, ["a"], later - DAY)
    keep(store, "being written")
    assert baselines_store.sweep(store, later - 180 * DAY, later - 3600) == (2, 1)
    assert baselines_store.sweep(store, later - 180 * DAY, later - 3600) == (0, 0)
    assert (names(store), wholes(store)) == (["a"], {"a node-a 1", public.whole, "being written"})


def test_a_forgotten_node_leaves_nothing(store: SqliteStore) -> None:
    for node in ("node-a", "node-b"):
        learn(store, "a", node)
        outcome(store, node)
        store.note(IN_USE, {node: b""})
        status = pb.AgentStatus(hello=pb.Hello(node=node))
        store.commit([deviation_to_wire(samples.deviation(node=node))], [status])
    store.forget(["node-a"])
    assert [row.node for table in (fragments, outcomes) for row in store.read(table.select())] == ["node-b"] * 2
    assert [status.hello.node for status in store.agents()] == ["node-b"]
    assert store.notes(IN_USE).keys() == {"node-b"}
    assert store.revision == 2


def test_who_has_the_same_is_not_asked_again(store: SqliteStore) -> None:
    publish(store, "a", 1)
    outcome(store, "taken")
    outcome(store, "refused", kind=baseline_pb2.OUTCOME_REFUSED)
    publish(store, "a", 1)
    assert [row.node for row in store.read(baselines_store.outcomes_of("a"))] == ["taken"]
    publish(store, "a", 1, b"signed")
    assert store.read(baselines_store.outcomes_of("a")) == []


def test_the_oldest_revocation_makes_room_and_one_made_again_is_new(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines_store, "REVOCATIONS", 2)
    assert [revoke(store, "a", version) for version in ("v1", "v2")] == [0, 0]
    outcome(store, "node-a", "v1")
    assert revoke(store, "a", "v1") == 0
    assert store.read(outcomes.select()) == []
    assert revoke(store, "a", "v3") == 1
    assert [row.version for row in store.read(baselines_store.revoked_between(0, 99))] == ["v1", "v3"]
    assert "is revoked" in publish(store, "a", 1)
    assert publish(store, "a", 2) == ""


def test_there_is_room_for_so_many_names(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines_store, "PUBLISHED", 1)
    assert publish(store, "a", 1) == ""
    assert "published already" in publish(store, "b", 1)
    assert publish(store, "a", 2) == ""
