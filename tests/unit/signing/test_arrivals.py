"""Who put a signed baseline in force here is known, though nothing can be added to what is signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.format.canonical import version_of
from driftline.baseline.keeping import arrivals
from driftline.baseline.keeping.arrivals import Arrival
from driftline.baseline.keeping.revoked import Revoked, remember
from driftline.baseline.keeping.store import BaselineStore, made_by
from driftline.baseline.schema import Baseline, Review
from driftline.baseline.shelf import Shelf
from driftline.baseline.signing.files import read_of
from driftline.nouns import LoadBehaviour
from unit.baseline.making import SUBJECT
from unit.cli.baselines import OLD, Node, entry
from unit.signing.making import baseline, publish, signed

LEARNED = Review(10, "agent", "learn", "complete")
FIRST = baseline(4, reviews=(LEARNED,))
SECOND = baseline(7, reviews=(LEARNED,), parent="sha256:" + "9" * 64, entries={LoadBehaviour("/evil.so"): entry()})
IMAGE = replace(SUBJECT, image_digest=OLD)


@pytest.fixture
def empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Node:
    """A node that learned nothing yet."""
    return Node(tmp_path / "state", capsys)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(BaselineStore(str(tmp_path / "state")), 1, 0)
    yield made
    assert made.errors == []


def test_the_agents_log_says_who_put_it_in_force(shelf: Shelf, empty: Node) -> None:
    shelved = shelf.of(IMAGE)
    shelf.save()
    publish(empty.directory, FIRST, "alice")
    shelf.advance(2 * 10**9)
    assert shelved.news == "revision 4 is in force (publish by collector: c)"
    publish(empty.directory, SECOND, "alice")
    shelf.advance(4 * 10**9)
    back = BaselineStore(str(empty.directory), by_hand=True)
    back.put_back(FIRST, made_by("agent", "revoke", "bad"))
    shelf.advance(6 * 10**9)
    assert shelved.news == "revision 4 is in force (revoke by agent)"


def test_history_tells_it_and_what_was_revoked(empty: Node) -> None:
    """Of a revoked one, too, and of one whose parent nobody here ever had, it never says that it was interrupted."""
    publish(empty.directory, FIRST, "alice")
    publish(empty.directory, SECOND, "alice")
    remember(str(empty.directory), Revoked(OLD, version_of(SECOND), "a miner\x1b"))
    BaselineStore(str(empty.directory), by_hand=True).put_back(
        FIRST, made_by("agent", "revoke", "a miner\x1b", "revision 4")
    )
    out = empty.run("history", OLD).out
    assert "interrupted" not in out
    lines = out.splitlines()
    assert any(line.startswith("   4 ") and "collector: c  publish: published for every node" in line for line in lines)
    assert any(line.startswith("   - ") and "agent  learn: complete" in line for line in lines)
    assert any(line.startswith("   - ") and "agent  revoke: a miner\\x1b" in line for line in lines)
    [revoked] = [line for line in lines if line.endswith(f", revoked, sha256:{version_of(SECOND)[7:19]}")]
    assert revoked.startswith("      candidate, 1 behaviour,")
    steps = {one["revision"]: one for one in empty.json("history", OLD)}
    assert (steps[4]["revoked"], steps[7]["revoked"], steps[7]["interrupted"]) == (None, "a miner\\x1b", False)
    assert (steps[7]["author"], steps[7]["action"]) == ("collector: c", "publish")


def test_an_import_of_a_signed_file_says_who_did_it(empty: Node, tmp_path: Path) -> None:
    path = tmp_path / "nginx.dsse.json"
    path.write_bytes(signed("alice", one=FIRST))
    assert empty.run("import", str(path), "--author", "ann").status == 0
    assert "ann  import" in empty.run("history", OLD).out
    assert "nginx.dsse.json" in empty.run("history", OLD).out


def test_arrivals_are_bounded_and_what_is_damaged_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MAX_ARRIVALS", 3)
    made = [Arrival(number, f"sha256:{number}", Review(number, "a\udcff", "publish", "r", "w")) for number in range(5)]
    for one in made:
        arrivals.add(tmp_path, one)
    assert arrivals.recall(tmp_path) == made[2:]
    assert arrivals.last_of(tmp_path, 4, "sha256:4") == made[4].review
    assert arrivals.last_of(tmp_path, 4, "sha256:5") is None
    for damage in (b"", b"{}", b"[1]", b'[{"revision": "x"}]', b"[" * 100_000, b"\xff"):
        (tmp_path / arrivals.FILE).write_bytes(damage)
        assert arrivals.recall(tmp_path) == []
    arrivals.add(tmp_path, made[0])
    assert arrivals.recall(tmp_path) == made[:1]


def test_signatures_of_a_revision_outlive_those_of_the_same_contents_signed_anew(empty: Node) -> None:
    def envelope(one: Baseline) -> bytes | None:
        return read_of(empty.store.directory(OLD), one.revision, version_of(one), 10**6)

    again = replace(FIRST, revision=5)
    publish(empty.directory, FIRST, "alice")
    publish(empty.directory, again, "bob")
    assert (envelope(FIRST), envelope(again)) == (signed("alice", one=FIRST), signed("bob", one=again))
