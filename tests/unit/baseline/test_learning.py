"""Learning: order never matters, entering processes must come back, the window ends by time and quiet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline import learning
from driftline.baseline.canonical import canonical_content, from_msgpack, to_msgpack, version_of
from driftline.baseline.learning import FULL, MIN_ENTRIES, Learning
from driftline.baseline.schema import MAX_CONTAINERS, MORE_CONTAINERS, Baseline, State
from driftline.nouns import Behaviour, ExecBehaviour, LoadBehaviour, Loss
from unit.baseline.making import SUBJECT, behaviours, process

SECOND = 1_000_000_000
A, B = LoadBehaviour("/lib/a.so"), LoadBehaviour("/lib/b.so")
PROBE = ExecBehaviour("/bin/probe", "probe", "", True)

sightings = st.lists(st.tuples(behaviours, st.integers(1, 4), st.booleans()), max_size=12)


def fresh() -> Learning:
    return Learning(Baseline(SUBJECT.baseline_key, SUBJECT.image))


def taught(seen: list[tuple[Behaviour, int, bool]]) -> Learning:
    result = fresh()
    for number, (behaviour, pid, entered) in enumerate(seen):
        subject = replace(SUBJECT, container_id=f"c{pid}")
        result.observe(behaviour, 1000 + number, subject, process(pid), entered)
    return result


@given(sightings.flatmap(lambda seen: st.tuples(st.just(seen), st.permutations(seen))))
def test_any_order_teaches_the_same(
    orders: tuple[list[tuple[Behaviour, int, bool]], list[tuple[Behaviour, int, bool]]],
) -> None:
    one, other = taught(orders[0]), taught(orders[1])
    assert canonical_content(one.baseline) == canonical_content(other.baseline)
    for behaviour, entry in one.baseline.entries.items():
        twin = other.baseline.entries[behaviour]
        assert (entry.count, entry.containers) == (twin.count, twin.containers)


def test_an_entry_counts_and_keeps_first_and_last() -> None:
    result = fresh()
    assert result.observe(A, 500, SUBJECT, process(), False)
    assert not result.observe(A, 300, replace(SUBJECT, container_id="other"), process(), False)
    assert not result.observe(A, 900, SUBJECT, process(), False)
    entry = result.baseline.entries[A]
    assert (entry.first_ns, entry.last_ns, entry.count, entry.source) == (300, 900, 3, "learned")
    assert entry.containers == {SUBJECT.container_id, "other"}
    assert A in result.matcher


def test_a_single_entry_into_the_container_teaches_nothing() -> None:
    result = fresh()
    for _ in range(10):
        assert not result.observe(PROBE, 1, SUBJECT, process(7), True)
    assert PROBE not in result.baseline.entries
    assert PROBE not in result.matcher


def test_a_probe_that_comes_back_is_learned_with_all_its_sightings() -> None:
    result = fresh()
    new = [result.observe(PROBE, pid, SUBJECT, process(pid), True) for pid in range(1, MIN_ENTRIES + 1)]
    assert new == [False] * (MIN_ENTRIES - 1) + [True]
    assert result.baseline.entries[PROBE].count == MIN_ENTRIES
    assert result.baseline.entries[PROBE].first_ns == 1


def test_what_the_container_does_itself_counts_at_once_even_if_an_entered_process_did_it_before() -> None:
    result = fresh()
    result.observe(A, 1, SUBJECT, process(1), True)
    assert result.observe(A, 2, SUBJECT, process(2), False)
    assert result.baseline.entries[A].count == 2


def test_the_window_needs_both_time_and_quiet() -> None:
    result = fresh()
    result.advance(0, True)
    result.observe(A, 1, SUBJECT, process(), False)
    result.advance(250 * SECOND, True)
    result.observe(B, 1, SUBJECT, process(), False)
    result.advance(301 * SECOND, True)
    assert not result.is_over(300 * SECOND, 60 * SECOND)  # only 51 s quiet
    result.observe(A, 1, SUBJECT, process(), False)  # nothing new
    result.advance(311 * SECOND, True)
    assert result.is_over(300 * SECOND, 60 * SECOND)
    assert not result.is_over(312 * SECOND, 60 * SECOND)


def test_time_counts_only_while_a_container_runs_and_never_runs_backwards() -> None:
    result = fresh()
    for now, running in ((100, True), (110, True), (500, False), (490, True), (500, True), (505, True)):
        result.advance(now, running)
    assert result.baseline.elapsed_ns == 10 + 5


def test_learning_goes_on_after_a_restart_where_it_was() -> None:
    before = taught([(A, 1, False), (B, 2, False)])
    before.advance(0, True)
    before.advance(200 * SECOND, True)
    before.note_losses(3)
    after = Learning(from_msgpack(to_msgpack(before.baseline)))
    after.advance(9_000 * SECOND, True)  # time without the agent does not count
    after.advance(9_100 * SECOND, True)
    assert after.is_over(300 * SECOND, 300 * SECOND)
    assert not after.observe(A, 5, replace(SUBJECT, container_id="c1"), process(), False)
    assert after.baseline.entries[A].containers == {"c1"}
    assert A in after.matcher
    assert after.baseline.reasons == ("losses 3",)


def test_finish_gives_an_active_baseline_and_its_version() -> None:
    result = taught([(A, 1, False)])
    matcher = result.finish()
    assert result.baseline.state is State.ACTIVE
    assert matcher.version == version_of(result.baseline)
    assert A in matcher


def test_version_says_what_is_allowed_not_how_often() -> None:
    once, twice = taught([(A, 1, False)]), taught([(A, 1, False), (A, 2, False)])
    other = taught([(A, 1, False), (B, 1, False)])
    assert version_of(once.baseline) == version_of(twice.baseline) != version_of(other.baseline)
    assert version_of(replace(once.baseline, key="sha256:22")) != version_of(once.baseline)


def test_partial_reasons_are_kept_once_and_sorted() -> None:
    result = fresh()
    assert not result.baseline.reasons
    for reason in ("b", "a", "b"):
        result.mark_partial(reason)
    result.note_losses(2)
    result.note_losses(3)
    assert result.baseline.reasons == ("a", "b", "losses 5")


def test_a_full_baseline_says_so_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MAX_LEARNED", 1)
    result = taught([(A, 1, False), (B, 1, False), (B, 1, False)])
    assert list(result.baseline.entries) == [A]
    assert result.baseline.partial == (FULL,)
    assert result.take_losses() == [Loss("learning", "full", 2)]
    assert result.take_losses() == []


def test_too_many_candidates_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MAX_CANDIDATES", 1)
    result = taught([(A, 1, True), (B, 1, True)])
    assert result.take_losses() == [Loss("learning", "full", 1)]


def test_containers_beyond_the_bound_count_as_one() -> None:
    seen: list[tuple[Behaviour, int, bool]] = [(A, pid, False) for pid in range(MAX_CONTAINERS + 5)]
    result = taught(seen)
    assert len(result.baseline.entries[A].containers) == MAX_CONTAINERS + 1
    assert MORE_CONTAINERS in result.baseline.entries[A].containers
    assert from_msgpack(to_msgpack(result.baseline)) == result.baseline


def test_dirty_is_set_by_every_change() -> None:
    result = fresh()
    assert not result.dirty
    changes = (
        lambda: result.observe(A, 1, SUBJECT, process(), False),
        lambda: result.observe(A, 2, SUBJECT, process(), False),
        lambda: result.mark_partial("x"),
        lambda: result.note_losses(1),
        result.finish,
    )
    for change in changes:
        result.dirty = False
        change()
        assert result.dirty
