"""Decisions: which behaviours are meant, what becomes of them, what is refused."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given

from driftline.baseline import decisions
from driftline.baseline.decisions import DecisionError
from driftline.baseline.schema import IMPORTED, MAX_EXCUSES, REVIEWED, Baseline, Excuse, Review, Standing, State
from driftline.baseline.wording import id_of, text_of
from driftline.nouns import ExecBehaviour, LoadBehaviour, OpenBehaviour
from unit.baseline.documents import baselines, full, small

A = OpenBehaviour("/a", "read")
DROPPED = ExecBehaviour("/tmp/x", "x", "/bin/sh", True, "writable")
REVIEW = Review(1, "ann", "edit", "")


@given(baselines)
def test_every_behaviour_is_found_by_its_text_and_by_its_id(baseline: Baseline) -> None:
    for behaviour in baseline.entries:
        assert decisions.select(baseline, [text_of(behaviour), id_of(behaviour), id_of(behaviour).upper()]) == [
            behaviour
        ]


def test_the_beginning_of_an_id_is_enough_while_it_is_one() -> None:
    baseline = small()
    number = id_of(A)
    assert decisions.select(baseline, [number[:4]]) == [A]
    for text in (number[:3], "read /b", "zzzz", "", "0000"):
        with pytest.raises(DecisionError):
            decisions.select(baseline, [text])


def test_an_id_of_two_is_refused_and_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "id_of", lambda behaviour: "abcd" + id_of(behaviour))
    with pytest.raises(DecisionError, match="6 behaviours have an id that begins with abcd") as caught:
        decisions.select(small(), ["abcd"])
    assert "read /a" in caught.value.hint


def test_what_needs_review_by_check() -> None:
    assert decisions.needing_review(full()) == [DROPPED]
    assert decisions.needing_review(full(), "NL-01") == [DROPPED]
    assert decisions.needing_review(full(), "NL-08") == []


def test_code_that_is_not_the_images_is_told_apart() -> None:
    foreign = {DROPPED, LoadBehaviour("/srv/y.so", "volume")}
    assert set(decisions.any_content(full().entries)) == foreign


def test_a_standing_changes_nothing_else_and_not_the_old_baseline() -> None:
    before, old = full(), full()
    new = decisions.with_standing(old, [DROPPED], Standing.ALLOWED)
    assert old == before
    assert new.entries[DROPPED] == replace(before.entries[DROPPED], standing=Standing.ALLOWED)
    assert {**new.entries, DROPPED: before.entries[DROPPED]} == before.entries


def test_an_excuse_takes_the_place_of_an_older_one_and_their_number_is_bounded() -> None:
    baseline = small()
    for number in reversed(range(MAX_EXCUSES)):
        baseline = decisions.with_excuse(baseline, Excuse(f"NL-{number:02}", "x", "ann", 0))
    assert [one.check for one in baseline.excuses] == [f"NL-{number:02}" for number in range(MAX_EXCUSES)]
    other = Excuse("NL-07", "y", "ben", 5)
    assert decisions.with_excuse(baseline, other).excuses[7] == other
    with pytest.raises(DecisionError, match="excused already"):
        decisions.with_excuse(baseline, Excuse("NL-99", "x", "ann", 0))
    assert len(decisions.without_excuse(baseline, "NL-07").excuses) == MAX_EXCUSES - 1


def test_a_promotion_needs_every_question_answered() -> None:
    waiting = replace(full(), state=State.CANDIDATE)
    with pytest.raises(DecisionError, match="1 behaviour need review"):
        decisions.promote(waiting, force=False)
    assert decisions.promote(waiting, force=True).state is State.ACTIVE
    assert decisions.promote(replace(small(), state=State.CANDIDATE), force=False).state is State.ACTIVE
    with pytest.raises(DecisionError, match="still being learned"):
        decisions.promote(small(), force=False)
    with pytest.raises(DecisionError, match="active already"):
        decisions.promote(full(), force=True)


def test_retired_once() -> None:
    retired = decisions.retire(full())
    assert retired.state is State.RETIRED
    with pytest.raises(DecisionError):
        decisions.retire(retired)


@pytest.mark.parametrize(
    ("now", "old", "after"),
    [
        (State.ACTIVE, State.CANDIDATE, State.ACTIVE),
        (State.CANDIDATE, State.ACTIVE, State.ACTIVE),
        (State.CANDIDATE, State.CANDIDATE, State.CANDIDATE),
        (State.RETIRED, State.CANDIDATE, State.CANDIDATE),
        (State.CANDIDATE, State.RETIRED, State.CANDIDATE),
        (State.RETIRED, State.ACTIVE, State.ACTIVE),
    ],
)
def test_a_rollback_brings_back_what_was_expected_not_what_happened(now: State, old: State, after: State) -> None:
    current = replace(small(), state=now, revision=5, reviews=(REVIEW,), entries={})
    result = decisions.roll_back(current, replace(small(), state=old, revision=2))
    assert (result.state, result.revision, result.reviews) == (after, 5, (REVIEW,))
    assert result.entries == small().entries


def test_a_rollback_of_what_cannot_be_read() -> None:
    assert decisions.roll_back(None, full()) == full()


def test_what_was_rejected_stays_so_through_rollback_and_import_unless_it_is_expected() -> None:
    current = decisions.with_standing(full(), [A, DROPPED], Standing.REJECTED)
    for result in (decisions.roll_back(current, full()), decisions.take_in(current, full())):
        assert result.entries[DROPPED].standing is Standing.REJECTED, "there it only waits for review"
        assert result.entries[A].standing is Standing.ALLOWED
    without = replace(full(), entries={})
    assert set(decisions.take_in(current, without).entries) == {A, DROPPED, LoadBehaviour("/srv/y.so", "volume")}


def test_an_import_marks_what_is_new_and_keeps_the_number() -> None:
    given, before = full(), deepcopy(full())
    first = decisions.take_in(None, given)
    assert given == before
    written = {each for each, entry in given.entries.items() if entry.source == REVIEWED}
    assert {each for each, entry in first.entries.items() if entry.source == REVIEWED} == written
    assert {entry.source for each, entry in first.entries.items() if each not in written} == {IMPORTED}
    assert first.revision == given.revision - 1, "the commit makes it the same"
    again = decisions.take_in(replace(small(), revision=9), given)
    assert again.entries[A].source == small().entries[A].source
    assert again.revision == 9
    assert decisions.take_in(None, small()).state is State.CANDIDATE
