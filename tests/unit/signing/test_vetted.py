"""The shelf of an agent that requires signatures: what it judges by, and what it leaves alone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.format.canonical import version_of
from driftline.baseline.keeping.marks import mark
from driftline.baseline.keeping.promotion import Policy
from driftline.baseline.keeping.revoked import Revoked, remember
from driftline.baseline.keeping.saving import NS
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.keeping.upkeep import Upkeep
from driftline.baseline.schema import Baseline, Review, Standing, State
from driftline.baseline.shelf import Shelf
from driftline.baseline.shelved import Shelved
from driftline.baseline.signing import guard as guard_module
from driftline.baseline.signing import memory
from driftline.baseline.signing.guard import Guard, Wanted
from driftline.nouns import LoadBehaviour, Loss, Subject
from driftline.vetting import Vetting, saving_of
from unit.baseline.making import SUBJECT, process
from unit.cli.baselines import OLD, SERVER, entry
from unit.signing.making import baseline, publish, put, trust

IMAGE = replace(SUBJECT, image_digest=OLD)
EVIL = LoadBehaviour("/evil.so")
MORE = {**baseline().entries, EVIL: entry()}


class Node:
    """A shelf with its guard; time passes when it is told to."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.guard = Guard(str(state), str(state / "trust"), 1, lambda: None)
        self.guard.start()
        self.store = BaselineStore(str(state))
        self.shelf = Shelf(self.store, 1, 0, saving=saving_of(self.guard))
        self.now = 0

    def meet(self, subject: Subject = IMAGE) -> Shelved:
        """A container, as the pipeline meets it: verified first."""
        wanted = Wanted(subject.baseline_key, "", subject.image)
        self.guard.want(wanted)
        self.wait(lambda: self.guard.choice_of(wanted.name) is not None)
        return self.shelf.of(subject)

    def wait(self, condition: Callable[[], object]) -> None:
        """Let time pass until something is so."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            self.now += NS
            self.shelf.advance(self.now)
            time.sleep(0.01)

    def touch(self) -> None:
        """Somebody changed something, as the command line says it."""
        self.shelf.advance(self.now)
        self.store.root.mkdir(exist_ok=True)
        marker = self.store.root / ".changed"
        marker.write_bytes(b"")
        marker.touch()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    trust(tmp_path / "trust", "alice")
    made = Node(tmp_path)
    yield made
    assert made.guard.stop()
    assert made.shelf.errors == []
    assert made.guard.take_errors() == []


def test_a_signed_one_is_judged_by_and_does_not_heal_or_get_promoted_by_itself(node: Node) -> None:
    put(node.state, baseline(partial=("attached late",)), "alice")
    shelved = node.meet()
    assert (shelved.signed, shelved.held, shelved.learning, shelved.revision) == (True, False, None, 1)
    assert SERVER in shelved.matcher
    assert not shelved.may_heal
    mark(node.store.directory(OLD), OLD, "nginx")
    upkeep = Upkeep(node.store, node.shelf, 180, Policy(after_days=0.0001, min_containers=1))
    assert [upkeep.step(1e12) for _ in range(3)] == [""] * 3
    assert upkeep.promoted == 0


def test_keys_that_are_taken_away_take_what_they_signed_out_of_force(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And back in, once they are there again; a key that cannot be read takes nothing away."""
    monkeypatch.setattr(guard_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(guard_module, "RETRY_SECONDS", 0.0)
    put(node.state, baseline(), "alice")
    shelved = node.meet()
    (node.state / "trust" / "broken.pub").write_text("no key")
    told: list[str] = []
    node.wait(lambda: told.extend(str(error) for error in node.guard.take_errors()) or told)
    assert ("broken.pub" in told[0], shelved.signed, shelved.revision) == (True, True, 1)
    trust(node.state / "trust", "carl")
    node.wait(lambda: not shelved.signed)
    assert (shelved.held, SERVER in shelved.matcher) == (True, False)
    node.shelf.save()
    assert node.store.load_one(OLD) == baseline(), "what lies there is left for people to look at"
    trust(node.state / "trust", "carl", "alice")
    node.wait(lambda: shelved.signed)
    assert (shelved.learning, shelved.held, shelved.revision, SERVER in shelved.matcher) == (None, False, 1, True)
    node.guard.take_errors()


def test_then_the_one_before_that_others_signed_is_judged_by(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "LOOK_SECONDS", 0.0)
    trust(node.state / "trust", "alice", "carl")
    publish(node.state, baseline(1), "alice")
    publish(node.state, baseline(2, entries=MORE), "carl")
    shelved = node.meet()
    assert EVIL in shelved.matcher
    trust(node.state / "trust", "alice")
    node.wait(lambda: shelved.revision == 1)
    assert (shelved.signed, shelved.held, shelved.learning) == (True, True, None)
    assert (SERVER in shelved.matcher, EVIL in shelved.matcher) == (True, False)
    assert shelved.news == "revision 1 is in force, the last good one that is signed"
    [refusal] = node.guard.take_refusals()
    assert refusal.severity == "high"
    assert refusal.why.endswith("revision 1 is in force again, the newest before it that enough trusted keys signed")
    before = shelved.matcher
    node.guard.want_again(OLD)
    node.wait(node.guard.take_refusals)
    node.touch()
    assert shelved.matcher is before
    node.shelf.save()
    assert node.store.load_one(OLD) == baseline(2, entries=MORE), "what lies there is left for people to look at"
    trust(node.state / "trust", "alice", "carl")
    node.wait(lambda: shelved.revision == 2)
    assert not shelved.held


def test_what_is_revoked_goes_out_of_force_though_its_file_was_refused_before(node: Node) -> None:
    put(node.state, baseline(), "alice")
    shelved = node.meet()
    put(node.state, baseline(2, entries=MORE))
    node.touch()
    node.wait(lambda: shelved.held)
    node.guard.want_again(OLD)
    node.wait(node.guard.take_refusals)
    assert SERVER in shelved.matcher, "what is not revoked stays"
    remember(str(node.state), Revoked(OLD, version_of(baseline()), "stolen"))
    memory.forget(str(node.state), OLD)
    node.touch()
    node.wait(lambda: not shelved.signed)
    assert (shelved.held, SERVER in shelved.matcher, EVIL in shelved.matcher) == (True, False, False)


def test_a_refused_change_is_not_judged_by_nor_written_over(node: Node) -> None:
    put(node.state, baseline(), "alice")
    shelved = node.meet()
    before = shelved.matcher
    put(node.state, baseline(2, entries=MORE))
    path = node.store.directory(OLD) / "baseline.msgpack"
    written = path.read_bytes()
    node.touch()
    node.wait(lambda: shelved.held)
    assert shelved.matcher is before
    node.shelf.save()
    assert path.read_bytes() == written
    put(node.state, baseline(2, entries=MORE), "alice")
    node.touch()
    node.wait(lambda: shelved.revision == 2)
    assert EVIL in shelved.matcher
    assert not shelved.held
    assert "revision 2 is in force" in shelved.news


def test_where_nothing_good_is_known_the_image_is_learned_in_memory_alone(node: Node) -> None:
    put(node.state, baseline(entries=MORE), "mallory")
    path = node.store.directory(OLD) / "baseline.msgpack"
    written = path.read_bytes()
    shelved = node.meet()
    assert shelved.held
    assert shelved.learning is not None
    assert shelved.matcher.version == ""
    shelved.learning.observe(EVIL, 7, IMAGE, process(), entered=False)
    node.wait(lambda: shelved.learning is None)
    node.shelf.save()
    assert path.read_bytes() == written
    assert [one.severity for one in node.guard.take_refusals()] == ["high"]


def test_after_a_restart_the_kept_one_is_judged_by(node: Node) -> None:
    put(node.state, baseline(3), "alice")
    node.meet()
    node.wait(lambda: (node.state / "signed").is_dir())
    shutil.rmtree(node.store.directory(OLD))
    again = Node(node.state)
    try:
        shelved = again.meet()
        assert (shelved.revision, shelved.signed, shelved.held, shelved.learning) == (3, True, True, None)
        assert SERVER in shelved.matcher
        again.shelf.save()
        assert not (again.store.directory(OLD) / "baseline.msgpack").exists()
    finally:
        assert again.guard.stop()


def test_what_is_learned_here_is_told_once_when_it_begins_to_count(node: Node) -> None:
    shelved = node.meet()
    assert shelved.learning is not None
    shelved.learning.observe(EVIL, 7, IMAGE, process(), entered=False)
    node.wait(lambda: shelved.learning is None)
    node.wait(lambda: node.guard.refused)
    [refusal] = node.guard.take_refusals()
    assert (refusal.name, refusal.severity) == (OLD, "low")
    assert EVIL in shelved.matcher
    assert not shelved.held
    found = node.store.load_one(OLD)
    assert isinstance(found, Baseline)
    assert (found.revision, found.state) == (1, State.CANDIDATE)


def test_a_signed_one_that_comes_while_the_image_is_learned_takes_its_place_unchanged(node: Node) -> None:
    """Neither the agent's next write nor the end of learning mixes anything into it."""
    shelved = node.meet()
    assert shelved.learning is not None
    shelved.learning.observe(EVIL, 7, IMAGE, process(), entered=False)
    node.shelf.save()
    put(node.state, baseline(7), "alice")
    written = (node.store.directory(OLD) / "baseline.msgpack").read_bytes()
    shelved.learning.observe(LoadBehaviour("/more.so"), 7, IMAGE, process(), entered=False)
    node.shelf.save()  # before anybody told it
    assert (node.store.directory(OLD) / "baseline.msgpack").read_bytes() == written
    node.touch()
    node.wait(lambda: shelved.signed)
    assert shelved.learning is None
    assert shelved.revision == 7
    assert EVIL not in shelved.matcher


def test_decisions_made_while_learning_still_count(node: Node) -> None:
    shelved = node.meet()
    assert shelved.learning is not None
    shelved.learning.observe(EVIL, 7, IMAGE, process(), entered=False)
    node.shelf.save()
    person = BaselineStore(str(node.state), by_hand=True)
    found = person.load_one(OLD)
    assert isinstance(found, Baseline)
    rejected = {**found.entries, EVIL: replace(found.entries[EVIL], standing=Standing.REJECTED)}
    person.commit(replace(found, entries=rejected), "alice", "reject", "no")
    node.wait(lambda: shelved.learning is None or EVIL in shelved.matcher.rejected)
    assert EVIL in shelved.matcher.rejected


def test_a_file_that_changed_since_it_was_verified_is_not_loaded(node: Node) -> None:
    put(node.state, baseline(), "alice")
    node.guard.want(Wanted(OLD, "", "nginx"))
    node.wait(lambda: node.guard.choice_of(OLD) is not None)
    put(node.state, baseline(entries=MORE))
    shelved = node.shelf.of(IMAGE)
    assert EVIL not in shelved.matcher
    assert shelved.learning is not None
    assert shelved.held
    node.wait(lambda: shelved.signed)  # verified again: refused, and the kept one is taken
    assert shelved.held
    assert EVIL not in shelved.matcher
    assert SERVER in shelved.matcher


def test_an_unsigned_predecessor_that_a_person_changed_is_not_carried_over(node: Node) -> None:
    tampered = replace(baseline(entries=MORE, image="shop/web:1"), reviews=(Review(1, "eve", "import", "x"),))
    put(node.state, tampered)
    mark(node.store.directory(OLD), OLD, "shop/web:1")
    new = replace(IMAGE, image_digest="sha256:" + "c" * 64, image="shop/web:2")
    assert node.meet(new).first_run
    put(node.state, replace(tampered, reviews=(Review(1, "agent", "learn", "complete"),)))
    node.guard.want_again(OLD)
    node.wait(lambda: (found := node.guard.choice_of(OLD)) is not None and not found.held)
    newer = replace(new, image_digest="sha256:" + "d" * 64, cgroup=6, image="shop/web:3")
    carried = node.meet(newer)
    assert not carried.first_run
    assert carried.learning is not None


def test_containers_without_a_digest_are_nobodys_to_sign(node: Node) -> None:
    nameless = replace(SUBJECT, image_digest="", cgroup=9)
    shelved = node.shelf.of(nameless)
    assert not shelved.held
    assert shelved.learning is not None
    shelved.learning.observe(EVIL, 7, nameless, process(), entered=False)
    node.wait(lambda: shelved.learning is None)
    node.shelf.save()
    person = BaselineStore(str(node.state), by_hand=True)
    found = person.load_one(shelved.name)
    assert isinstance(found, Baseline)
    person.commit(replace(found, entries={}), "alice", "edit", "no")
    node.wait(lambda: shelved.revision == 2)
    assert EVIL not in shelved.matcher
    node.meet()  # by now the guard would have told of it
    assert node.guard.take_refusals() == []


# --- waiting for it ---------------------------------------------------------------------------------------------------


class Names:
    """A namer that knows everybody at once."""

    def __init__(self, *subjects: Subject) -> None:
        self._subjects = list(subjects)

    def request(self, cgroup: int, path: str, started_ns: int, attached_late: bool) -> None: ...
    def gone(self, cgroup: int) -> None: ...
    def take(self) -> list[Subject]:
        found, self._subjects = self._subjects, []
        return found

    def losses(self) -> list[Loss]:
        return []


def test_a_container_waits_until_its_baselines_are_verified(node: Node) -> None:
    put(node.state, baseline(), "mallory")
    nameless = replace(SUBJECT, image_digest="", cgroup=9)
    workload = replace(IMAGE, namespace="shop", workload="web")
    vetting = Vetting(Names(workload, nameless), node.guard)
    assert vetting.take() == [nameless]
    node.wait(lambda: node.guard.choice_of(f"{OLD}+shop/web") is not None)
    assert vetting.take() == [workload]
    [refused] = vetting.take_refused()
    assert refused.subject == workload
