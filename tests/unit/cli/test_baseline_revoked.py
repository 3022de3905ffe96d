"""A revoked version stays out of force, whatever command would bring it back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.decisions import promote, retire
from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.keeping.revoked import Revoked, remember
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, State
from driftline.errors import StateError
from unit.cli.baselines import OLD, SHELL, Node
from unit.signing.making import signed

WHY = ("--reason", "because")


@pytest.fixture
def changed(node: Node) -> Node:
    """A node on which revision 1 was in force, and revision 2 is."""
    first = node.one()
    node.store.commit(without_shell(first), "alice", "edit", "not needed")
    remember(str(node.directory), Revoked(OLD, version_of(first), "bad"))
    return node


def without_shell(baseline: Baseline) -> Baseline:
    return replace(baseline, entries={one: entry for one, entry in baseline.entries.items() if one != SHELL})


def test_nobody_brings_it_back(changed: Node, tmp_path: Path) -> None:
    first = changed.store.read_revision(OLD, 1)
    file = tmp_path / "first.yaml"
    file.write_text(to_yaml(first))
    for words in (("rollback", "nginx", "1", "--widen"), ("import", str(file), "--widen")):
        ran = changed.run(*words, *WHY)
        assert ran.status == 5
        assert f"{version_of(first)} of {OLD} was revoked: bad" in ran.err
    assert (changed.one().revision, SHELL in changed.one().entries) == (2, False)


def test_a_signed_one_is_not_put_back_either(changed: Node, tmp_path: Path) -> None:
    first = replace(changed.store.read_revision(OLD, 1), revision=7)
    file = tmp_path / "first.dsse.json"
    file.write_bytes(signed("alice", one=first))
    ran = changed.run("import", str(file), "--widen", *WHY)
    assert "was revoked: bad" in ran.err
    assert changed.one().revision == 2


def test_what_is_revoked_can_be_retired(changed: Node) -> None:
    remember(str(changed.directory), Revoked(OLD, version_of(changed.one()), "bad, too"))
    by_hand = BaselineStore(str(changed.directory), by_hand=True)
    by_hand.load_one(OLD)
    with pytest.raises(StateError, match="bad, too"):
        by_hand.commit(promote(changed.one(), force=True), "alice", "promote", "")
    assert by_hand.commit(retire(changed.one()), "alice", "retire", "").state is State.RETIRED


def test_a_node_may_learn_the_same_again(changed: Node) -> None:
    """It is what the image does; the agent tells that it was revoked."""
    store = BaselineStore(str(changed.directory))
    learned = replace(changed.store.read_revision(OLD, 1), reviews=())
    store.load_one(OLD)
    assert version_of(store.commit(learned, "agent", "learn", "complete")) == version_of(learned)
