"""Kept baselines: marked when used, removed when long unused, promoted only by an explicit policy."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.keeping.marks import MARK, mark, read
from driftline.baseline.keeping.promotion import DAY_NS, Policy, reason_to_promote
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.keeping.upkeep import DAY_SECONDS, ROUND_SECONDS, Upkeep
from driftline.baseline.schema import Baseline, Entry, Review, Standing, State
from driftline.baseline.shelf import Shelf
from driftline.nouns import LoadBehaviour
from unit.baseline.making import SUBJECT

NEVER, POLICY = Policy(), Policy(after_days=2, min_containers=2)


def entry(standing: Standing = Standing.ALLOWED) -> Entry:
    return Entry("learned", 1, 2, 3, frozenset({"c1", "c2"}), standing)


def baseline(key: str = "sha256:11", state: State = State.CANDIDATE) -> Baseline:
    return Baseline(key, image="shop/web:1", state=state, startups=1, entries={LoadBehaviour("/lib/a.so"): entry()})


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(str(tmp_path))


def keep(store: BaselineStore, one: Baseline, days_ago: float = 0) -> Path:
    """Commit a baseline that was last used so long ago."""
    store.commit(one, "agent", "learn", "complete")
    directory = store.directory(one.name)
    mark(directory, one.name, one.image)
    then = time.time() - days_ago * DAY_SECONDS
    os.utime(directory / MARK, (then, then))
    return directory


def look_round(upkeep: Upkeep, count: int = 10) -> list[str]:
    """One round through all directories; what it told."""
    return [told for _ in range(count) if (told := upkeep.step(time.time()))]


def test_what_was_not_used_for_long_is_removed_and_told(store: BaselineStore) -> None:
    old, new = keep(store, baseline("sha256:1"), 181), keep(store, baseline("sha256:2"), 179)
    upkeep = Upkeep(store, Shelf(store, 1, 0), 180, NEVER)
    assert look_round(upkeep) == ["removed the baseline of shop/web:1: not used for 180 days"]
    assert (old.exists(), new.exists(), upkeep.removed) == (False, True, 1)


@pytest.mark.parametrize(("state", "kept"), [(State.ACTIVE, True), (State.RETIRED, False), (State.CANDIDATE, False)])
def test_what_a_person_promoted_stays_until_it_is_retired(store: BaselineStore, state: State, kept: bool) -> None:
    directory = keep(store, baseline(state=state), 1000)
    look_round(Upkeep(store, Shelf(store, 1, 0), 180, NEVER))
    assert directory.exists() == kept


def test_what_somebody_signed_stays(store: BaselineStore) -> None:
    directory = keep(store, baseline(), 1000)
    (directory / "signatures").mkdir()
    look_round(Upkeep(store, Shelf(store, 1, 0), 180, NEVER))
    assert directory.exists()


def test_what_is_in_use_is_neither_removed_nor_forgotten(store: BaselineStore) -> None:
    directory = keep(store, baseline(), 1000)
    shelf = Shelf(store, 1, 0)
    shelf.of(SUBJECT)
    os.utime(directory / MARK, (1, 1))
    look_round(Upkeep(store, shelf, 180, NEVER))
    found = read(directory)
    assert found is not None
    assert time.time() - found.used < 60  # a container that runs for a year uses it all the time


def test_a_baseline_of_unknown_age_begins_to_age_now(store: BaselineStore) -> None:
    store.commit(baseline(), "alice", "import", "from git")
    directory = store.directory("sha256:11")
    assert look_round(Upkeep(store, Shelf(store, 1, 0), 180, NEVER)) == []
    found = read(directory)
    assert found is not None
    assert (found.name, found.image) == ("sha256:11", "shop/web:1")


def test_a_baseline_of_a_container_that_ended_without_an_agent_goes(store: BaselineStore) -> None:
    store.commit(baseline("container:abc"), "agent", "learn", "complete")
    look_round(Upkeep(store, Shelf(store, 1, 0), 180, NEVER))
    assert not store.directory("container:abc").exists()


def test_a_round_is_made_once_an_hour_whatever_the_clock_does(
    store: BaselineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[Path] = []

    def count(root: Path) -> list[str]:
        rounds.append(root)
        return []

    monkeypatch.setattr("driftline.baseline.keeping.upkeep.directories", count)
    upkeep, now = Upkeep(store, Shelf(store, 1, 0), 180, NEVER), time.time()
    for then in (now, now + 1, now + ROUND_SECONDS - 1, now + ROUND_SECONDS + 1, now - 10 * DAY_SECONDS):
        upkeep.step(then)
    assert len(rounds) == 3


def test_a_mark_that_makes_no_sense_is_none(tmp_path: Path) -> None:
    for text in ("", "[]", '{"name": 1}', "{", "null"):
        (tmp_path / MARK).write_text(text)
        assert read(tmp_path) is None


def learned(days_ago: float) -> Baseline:
    then = time.time_ns() - int(days_ago * DAY_NS)
    return replace(baseline(), reviews=(Review(then, "agent", "learn", "complete"),))


def test_a_policy_promotes_what_is_old_complete_and_clean() -> None:
    assert "2 containers" in reason_to_promote(learned(3), POLICY, time.time_ns())


@pytest.mark.parametrize(
    "one",
    [
        learned(1),  # too young
        replace(learned(3), partial=("attached late",)),
        replace(learned(3), losses=1),
        replace(learned(3), state=State.ACTIVE),
        replace(learned(3), state=State.LEARNING),
        replace(learned(3), entries={LoadBehaviour("/x"): entry(Standing.NEEDS_REVIEW)}),
        replace(learned(3), entries={}),  # of no container
        replace(learned(3), reviews=()),
    ],
)
def test_a_policy_promotes_nothing_else(one: Baseline) -> None:
    assert reason_to_promote(one, POLICY, time.time_ns()) == ""


def test_without_a_policy_nothing_is_promoted() -> None:
    assert reason_to_promote(learned(1000), NEVER, time.time_ns()) == ""


def test_a_promotion_is_a_revision_by_the_policy_and_in_force_at_once(store: BaselineStore) -> None:
    store.commit(baseline(), "agent", "learn", "complete")
    shelf = Shelf(store, 1, 0)
    shelved = shelf.of(SUBJECT)
    upkeep = Upkeep(store, shelf, 180, Policy(after_days=1e-9, min_containers=2))
    assert look_round(upkeep)[0].startswith("promoted the baseline of shop/web:1: complete")
    found = store.load_one("sha256:11")
    assert isinstance(found, Baseline)
    assert (found.state, found.revision, found.reviews[-1].author) == (State.ACTIVE, 2, "policy")
    assert (shelved.state, shelved.revision, upkeep.promoted) == (State.ACTIVE, 2, 1)
