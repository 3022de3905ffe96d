"""While the end of learning is computed or a baseline is written elsewhere, nothing is lost or overwritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from driftline.baseline import shelf as module
from driftline.baseline.keeping.saving import NS, SAVE_NS, Saving
from driftline.baseline.keeping.store import PUBLISH, BaselineStore
from driftline.baseline.learning import RESTLESS
from driftline.baseline.schema import Baseline, Standing, State
from driftline.baseline.shelf import COMPUTE_NS, Shelf
from driftline.baseline.shelved import Shelved
from driftline.nouns import Loss, OpenBehaviour, Subject
from unit.baseline.making import SUBJECT, process

IMAGE = replace(SUBJECT, image_digest="sha256:a", container_id="c1")
KNOWN, NEW = OpenBehaviour("/known", "read"), OpenBehaviour("/new", "read")


class Held:
    """Errands that are done when the test says so, and come back when it says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self.done: list[Callable[[], None]] = []

    def put(self, do: Callable[[], Any], then: Callable[[Any], None]) -> bool:
        self.waiting.append((do, then))
        return True

    def run(self) -> None:
        """Do all that wait, on the other thread as it were."""
        waiting, self.waiting = self.waiting, []
        for do, then in waiting:
            self.done.append(partial(then, do()))

    def come_back(self) -> None:
        done, self.done = self.done, []
        for call in done:
            call()

    def settle(self) -> None:
        while self.waiting or self.done:
            self.run()
            self.come_back()


class Node:
    """A shelf whose errands wait; it learns for a second and wants one of quiet."""

    def __init__(self, state: Path) -> None:
        self.errands, self.store = Held(), BaselineStore(str(state))
        self.shelf = Shelf(self.store, 1, 1, saving=Saving(self.store, self.errands))
        self.now = 0

    @property
    def shelved(self) -> Shelved:
        return self.shelf.of(IMAGE)

    def teach(self, *behaviours: OpenBehaviour, who: Subject = IMAGE) -> None:
        learning = self.shelf.of(who).learning
        assert learning is not None
        for each in behaviours:
            learning.observe(each, 7, who, process(), entered=False)

    def wait(self, seconds: float) -> list[Shelved]:
        self.now += int(seconds * NS)
        return self.shelf.advance(self.now)

    def in_force(self) -> Baseline:
        found = BaselineStore(str(self.store.root.parent)).load_one("sha256:a")
        assert isinstance(found, Baseline)
        return found

    def person(self) -> tuple[BaselineStore, Baseline]:
        """Who changes the baseline on the disk, and what they find."""
        store = BaselineStore(str(self.store.root.parent), by_hand=True)
        found = store.load_one("sha256:a")
        assert isinstance(found, Baseline)
        return store, found


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    made.teach(KNOWN)
    made.shelf.advance(0)
    made.errands.settle()  # that it is used is noted
    return made


def test_it_is_learned_on_until_the_end_is_computed_and_then_judged_by(node: Node) -> None:
    assert node.wait(1.5) == []
    assert node.shelved.first_run
    node.teach(KNOWN)  # a sighting more of what is known
    node.errands.run()
    assert node.wait(0.1) == [node.shelved]
    assert node.shelved.learning is None
    assert KNOWN in node.shelved.matcher
    assert NEW not in node.shelved.matcher
    node.errands.settle()
    kept = node.in_force()
    assert (kept.state, kept.revision, kept.entries[KNOWN].count) == (State.CANDIDATE, 1, 2)


def test_what_is_new_meanwhile_is_part_of_it(node: Node) -> None:
    """The window was not quiet after all: it goes on, and nothing is judged by what was computed too early."""
    node.wait(1.5)
    node.errands.run()
    node.teach(NEW)
    assert node.wait(0.1) == []
    assert node.shelved.first_run
    assert node.wait(1.5) == []  # quiet again: computed again
    node.errands.run()
    assert node.wait(0.1) == [node.shelved]
    assert KNOWN in node.shelved.matcher
    assert NEW in node.shelved.matcher
    node.errands.settle()
    assert node.in_force().entries.keys() == {KNOWN, NEW}


def test_one_that_never_rests_ends_all_the_same(node: Node) -> None:
    for number in range(5):
        node.teach(OpenBehaviour(f"/{number}", "read"))
        node.wait(1)
    assert node.errands.waiting
    node.errands.run()
    node.teach(NEW)
    assert node.wait(0.1) == [node.shelved]
    assert NEW in node.shelved.matcher
    assert node.shelved.reasons == (RESTLESS, "start-up not seen")


def test_a_disk_that_hangs_keeps_nobody_from_being_judged(node: Node) -> None:
    node.wait(1.5)
    assert node.wait(COMPUTE_NS / NS / 2) == []
    assert node.wait(COMPUTE_NS / NS) == [node.shelved]
    assert node.shelved.learning is None
    assert KNOWN in node.shelved.matcher
    node.errands.settle()  # the first result comes too late, and changes nothing
    node.wait(0.1)
    assert node.in_force().state is State.CANDIDATE
    assert node.in_force().revision == 1


def test_what_is_learned_while_it_is_written_is_written_next(node: Node) -> None:
    node.shelf.save_next(SAVE_NS)
    node.teach(NEW)
    node.shelf.save_next(2 * SAVE_NS)  # one at a time
    assert len(node.errands.waiting) == 1
    node.errands.settle()
    assert node.in_force().entries.keys() == {KNOWN}
    node.shelf.save_next(2 * SAVE_NS)
    node.errands.settle()
    assert node.in_force().entries.keys() == {KNOWN, NEW}


def test_a_disk_that_refuses_is_tried_again(node: Node) -> None:
    node.store.root.write_text("in the way")
    node.shelf.save_next(SAVE_NS)
    node.errands.settle()
    assert len(node.shelf.errors) == 1
    node.store.root.unlink()
    node.shelf.save_next(2 * SAVE_NS)
    node.errands.settle()
    assert node.in_force().entries.keys() == {KNOWN}


def test_a_decision_made_while_it_is_written_counts_and_so_does_what_was_learned_since(node: Node) -> None:
    node.shelf.save()
    store, found = node.person()
    rejected = {KNOWN: replace(found.entries[KNOWN], standing=Standing.REJECTED)}
    store.commit(replace(found, entries=rejected), "ann", "reject", "no")
    node.teach(OpenBehaviour("/before", "read"))
    node.shelf.save_next(SAVE_NS)
    node.teach(NEW)
    node.errands.settle()
    learning = node.shelved.learning
    assert learning is not None
    assert learning.baseline.entries[KNOWN].standing is Standing.REJECTED
    assert learning.baseline.entries.keys() == {KNOWN, NEW, OpenBehaviour("/before", "read")}
    assert KNOWN in node.shelved.matcher.rejected
    assert learning.baseline.reviews[-1].author == "ann"
    node.shelf.save()
    assert node.in_force().entries[KNOWN].standing is Standing.REJECTED
    assert NEW in node.in_force().entries


def test_a_decision_made_while_the_end_is_computed_is_not_lost(node: Node) -> None:
    node.shelf.save()
    node.wait(1.5)
    store, found = node.person()
    rejected = {KNOWN: replace(found.entries[KNOWN], standing=Standing.REJECTED)}
    store.commit(replace(found, entries=rejected), "ann", "reject", "no")
    node.errands.settle()
    node.wait(0.1)
    assert node.shelved.learning is None
    assert KNOWN in node.shelved.matcher.rejected
    assert node.in_force().entries[KNOWN].standing is Standing.REJECTED
    assert [one.action for one in node.in_force().reviews] == ["reject", "learn"]


def test_learning_that_ends_while_it_is_written_is_written_as_ended(node: Node) -> None:
    node.now = SAVE_NS
    node.shelf.save_next(node.now)
    node.wait(0)
    write, *_rest = node.errands.waiting
    node.shelf.advance(node.now)
    node.wait(1.5)
    assert [len(node.errands.waiting), node.shelved.writing] == [2, True]
    node.errands.waiting = node.errands.waiting[1:]
    node.errands.run()  # the disk is slower than the computer
    node.errands.come_back()
    assert node.shelved.learning is None
    node.errands.waiting.append(write)
    node.errands.settle()
    assert node.in_force().state is State.LEARNING
    node.shelf.save()
    assert (node.in_force().state, node.in_force().revision) == (State.CANDIDATE, 1)
    assert not node.shelved.unsaved


def test_what_somebody_puts_in_its_place_while_it_is_written_is_judged_by_in_the_end(node: Node) -> None:
    node.shelf.save()
    node.shelf.save_next(SAVE_NS)
    node.teach(NEW)
    node.shelf.save_next(3 * SAVE_NS)
    store, found = node.person()
    store.commit(replace(found, state=State.ACTIVE), "collector: c", PUBLISH, "reviewed")
    node.wait(1.5)  # it is seen that somebody changed it
    node.errands.settle()
    node.wait(1.5)
    node.errands.settle()
    assert (node.shelved.state, node.shelved.learning) == (State.ACTIVE, None)
    assert NEW not in node.shelved.matcher
    assert node.shelf.losses() == [Loss("learning", "let_pass", 1)]
    assert node.in_force().state is State.ACTIVE


def test_a_container_alone_that_ends_while_it_is_written_leaves_nothing(node: Node) -> None:
    lone = replace(SUBJECT, cgroup=9, image_digest="", container_id="c9")
    node.teach(KNOWN, who=lone)
    node.shelf.save_next(SAVE_NS)
    node.errands.settle()
    node.shelf.save_next(SAVE_NS)
    node.shelf.gone(9)
    node.errands.settle()
    assert [one.key for one in node.shelf] == ["sha256:a"]
    assert [one.key for one in node.store.load() if isinstance(one, Baseline)] == ["sha256:a"]


def test_at_the_end_everything_is_written(node: Node) -> None:
    node.shelf.save_next(SAVE_NS)
    node.teach(NEW)
    node.shelf.save()
    assert node.in_force().entries.keys() == {KNOWN, NEW}


def test_when_many_windows_end_at_once_their_copies_take_turns(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COMPUTING", 2)
    others = [replace(IMAGE, cgroup=number, image_digest=f"sha256:{number}") for number in range(10, 15)]
    for who in others:
        node.teach(KNOWN, who=who)
    node.wait(0)
    node.errands.settle()
    node.wait(1.5)
    assert len(node.errands.waiting) == 2
    ended: list[Shelved] = []
    for _ in range(3):
        node.errands.settle()
        ended += node.wait(0.1)
    assert len(ended) == 6
    assert [one.learning for one in node.shelf] == [None] * 6
