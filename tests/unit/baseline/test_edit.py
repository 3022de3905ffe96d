"""adopt: what a person decided on disk wins, what the agent saw since is kept, neither argument changes."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from driftline.baseline.keeping.edit import adopt
from driftline.baseline.schema import (
    CARRIED,
    LEARNED,
    MAX_CONTAINERS,
    MORE_CONTAINERS,
    REVIEWED,
    Baseline,
    Entry,
    Excuse,
    Review,
    Standing,
    State,
)
from driftline.nouns import Behaviour, ConnectBehaviour, OpenBehaviour
from unit.baseline.documents import baselines

A, B = OpenBehaviour("/a", "read"), OpenBehaviour("/b", "read")
ALLOWED, UNCONFIRMED, REVIEW, REJECTED = Standing
SAVED = 1_000


def entry(
    standing: Standing = ALLOWED, checks: tuple[str, ...] = (), first: int = 5, source: str = LEARNED, count: int = 1
) -> Entry:
    return Entry(source, first, first, count, frozenset({"c1"}), standing, checks)


def learning(*entries: tuple[Behaviour, Entry], **fields: Any) -> Baseline:
    return replace(Baseline("sha256:11", image="web:1", entries=dict(entries)), **fields)


@given(baselines, baselines)
def test_every_decision_of_theirs_is_in_the_result_and_nothing_is_changed_in_place(
    ours: Baseline, theirs: Baseline
) -> None:
    before = deepcopy((ours, theirs))
    result = adopt(ours, theirs, SAVED)
    assert (ours, theirs) == before
    for name in ("excuses", "reviews", "revision", "parent"):
        assert getattr(result, name) == getattr(theirs, name)
    assert result.state is (ours.state if theirs.state is State.LEARNING else theirs.state)
    for behaviour, theirs_entry in theirs.entries.items():
        if theirs_entry.standing is REJECTED:
            assert result.entries[behaviour].standing is REJECTED
    seen = {each for each, one in ours.entries.items() if one.first_ns >= SAVED and one.standing is not REJECTED}
    assert seen <= result.entries.keys()


@given(baselines)
def test_without_a_decision_nothing_happens(baseline: Baseline) -> None:
    assert adopt(baseline, deepcopy(baseline), SAVED) == baseline


def test_what_was_seen_since_is_kept_and_what_a_rollback_took_out_stays_out() -> None:
    ours = learning((A, entry(count=9)), (B, entry(first=SAVED - 1)), (OpenBehaviour("/c", "read"), entry(first=SAVED)))
    result = adopt(ours, learning((A, entry()), state=State.ACTIVE), SAVED)
    assert set(result.entries) == {A, OpenBehaviour("/c", "read")}
    assert result.entries[A].count == 9


def test_a_rejection_taken_back_while_learning_is_forgotten() -> None:
    result = adopt(learning((A, entry(REJECTED)), (B, entry())), learning((B, entry())), SAVED)
    assert set(result.entries) == {B}


def test_what_a_person_wrote_is_there() -> None:
    written = entry(source=REVIEWED, first=0)
    assert adopt(learning((A, entry())), learning((A, entry()), (B, written))).entries[B] == written


def test_what_was_folded_into_a_pattern_since_does_not_come_back() -> None:
    pattern = OpenBehaviour("/srv/data/*", "read")
    ours = learning((pattern, entry()))  # as old as the oldest it was made from
    theirs = learning(*((OpenBehaviour(f"/srv/data/{name}", "read"), entry()) for name in "abc"))
    rejected = OpenBehaviour("/srv/data/evil", "read")
    theirs.entries[rejected] = entry(REJECTED)
    assert set(adopt(ours, theirs, SAVED).entries) == {pattern, rejected}


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param(entry(), entry(REJECTED), (REJECTED, ()), id="rejected"),
        pytest.param(entry(REVIEW, ("NL-08",)), entry(ALLOWED, ("NL-08",)), (ALLOWED, ("NL-08",)), id="approved"),
        pytest.param(entry(REJECTED), entry(), (ALLOWED, ()), id="a rejection taken back"),
        pytest.param(entry(UNCONFIRMED), entry(), (ALLOWED, ()), id="confirmed by a person"),
        pytest.param(entry(), entry(UNCONFIRMED), (ALLOWED, ()), id="confirmed by a container since"),
        pytest.param(entry(REVIEW, ("NL-05",)), entry(), (REVIEW, ("NL-05",)), id="failed a check since"),
        pytest.param(entry(), entry(REVIEW, ("NL-00",)), (ALLOWED, ()), id="cleared by an honest sighting since"),
        pytest.param(entry(), entry(REVIEW), (REVIEW, ()), id="doubted by a person"),
        pytest.param(
            entry(REVIEW, ("NL-05", "NL-08")), entry(REVIEW, ("NL-08",)), (REVIEW, ("NL-05", "NL-08")), id="failed more"
        ),
    ],
)
def test_whose_standing_wins(ours: Entry, theirs: Entry, expected: tuple[Standing, tuple[str, ...]]) -> None:
    result = adopt(learning((A, ours)), learning((A, theirs)), SAVED).entries[A]
    assert (result.standing, result.checks) == expected


def test_a_promotion_while_learning_ends_it_with_what_is_known() -> None:
    theirs = learning((A, entry()), state=State.ACTIVE, revision=1, excuses=(Excuse("NL-08", "builds", "ann", 0),))
    theirs.reviews = (Review(1, "ann", "promote", "now"),)
    result = adopt(learning((A, entry(count=5)), (B, entry(first=SAVED))), theirs, SAVED)
    assert (result.state, result.revision, result.excuses, result.reviews) == (
        State.ACTIVE,
        1,
        theirs.excuses,
        theirs.reviews,
    )
    assert set(result.entries) == {A, B}
    assert result.entries[A].count == 5


def test_containers_stay_bounded() -> None:
    mine, other = (frozenset(f"{who}{number:03}" for number in range(MAX_CONTAINERS)) for who in "ab")
    ours, theirs = entry(), replace(entry(), containers=other)
    result = adopt(learning((A, replace(ours, containers=mine))), learning((A, theirs)))
    assert len(result.entries[A].containers) == MAX_CONTAINERS + 1
    assert MORE_CONTAINERS in result.entries[A].containers


def test_carried_ones_are_observations_not_decisions() -> None:
    connect = ConnectBehaviour("tcp", "db", 5432)
    result = adopt(learning((connect, entry())), learning((connect, entry(UNCONFIRMED, source=CARRIED))), SAVED)
    assert result.entries[connect].standing is ALLOWED
