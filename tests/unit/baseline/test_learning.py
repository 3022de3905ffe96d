"""Learning: order never matters, entering processes must come back, the window ends by time and quiet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline import learning
from driftline.baseline.format.canonical import canonical_content, from_msgpack, to_msgpack, version_of
from driftline.baseline.learning import (
    FULL,
    MIN_ENTRIES,
    PATIENCE,
    RESTLESS,
    Learning,
)
from driftline.baseline.schema import MAX_CONTAINERS, MORE_CONTAINERS, Baseline, Entry, Standing, State
from driftline.nouns import Behaviour, ExecBehaviour, LoadBehaviour, Loss, OpenBehaviour
from unit.baseline.making import SUBJECT, behaviours, process

SECOND = 1_000_000_000
A, B = LoadBehaviour("/lib/a.so"), LoadBehaviour("/lib/b.so")
PROBE = ExecBehaviour("/bin/probe", "probe", "", True)

sightings = st.lists(st.tuples(behaviours, st.integers(1, 4), st.booleans()), max_size=12)


def fresh() -> Learning:
    return Learning(Baseline(SUBJECT.baseline_key, image=SUBJECT.image))


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


def test_a_service_that_is_never_quiet_is_learned_all_the_same_and_says_so() -> None:
    """It makes a new name every ten seconds; after four windows there is an end."""
    result, ended = fresh(), 0
    for now in range(0, 2_000, 10):
        result.advance(now * SECOND, True)
        result.observe(OpenBehaviour(f"/data/name-{now}x", "write"), 1, SUBJECT, process(), False)
        if result.is_over(300 * SECOND, 60 * SECOND):
            ended = now
            break
    assert ended == PATIENCE * 300
    result.finish()
    assert RESTLESS in result.baseline.partial
    assert result.baseline.state is State.CANDIDATE


def test_a_run_that_ends_by_itself_is_not_called_restless() -> None:
    """A capture is learned to its end, whatever the windows."""
    result = fresh()
    result.advance(0, True)
    result.advance(50 * SECOND, True)
    assert not result.is_over(10**9 * SECOND, 10**9 * SECOND)
    assert not result.is_over(10 * SECOND, 60 * SECOND)
    result.finish()
    assert RESTLESS not in result.baseline.partial


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


def test_finish_gives_a_candidate_and_its_version() -> None:
    result = taught([(A, 1, False)])
    matcher = result.finish()
    assert result.baseline.state is State.CANDIDATE
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


def test_a_pattern_keeps_the_smallest_examples_in_any_order() -> None:
    pattern, paths = OpenBehaviour("/data/{num}", "write"), [f"/data/{number}" for number in (500, 100, 400, 200, 300)]
    for some in (paths, sorted(paths), sorted(paths, reverse=True)):
        result = fresh()
        for path in some:
            result.observe(pattern, 1, SUBJECT, process(), False, example=path)
        assert result.baseline.entries[pattern].examples == ("/data/100", "/data/200", "/data/300")


def test_what_failed_a_check_waits_for_review_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MAX_NEEDS_REVIEW", 2)
    result = fresh()
    for number in range(4):
        what = LoadBehaviour(f"/tmp/{number}.so", "writable")
        assert result.observe(what, 1, SUBJECT, process(), False, ("NL-01",)) == (number < 2)
        assert what not in result.matcher
        assert (what in result.matcher.pending) == (number < 2)
    assert [entry.standing for entry in result.baseline.entries.values()] == [Standing.NEEDS_REVIEW] * 2
    assert result.take_losses() == [Loss("learning", "full", 2)]
    assert result.observe(A, 1, SUBJECT, process(), False)  # the rest is learned as ever
    assert result.baseline.reasons == ()


def test_a_behaviour_that_fails_a_check_later_is_allowed_no_more() -> None:
    result = fresh()
    result.observe(A, 1, SUBJECT, process(), False)
    assert A in result.matcher
    result.observe(A, 2, SUBJECT, process(), False, ("NL-08",))
    assert A not in result.matcher
    assert A in result.matcher.pending
    assert result.baseline.entries[A].checks == ("NL-08",)


def test_an_entered_process_that_fails_a_check_is_put_up_for_review_at_once() -> None:
    result = fresh()
    assert result.observe(PROBE, 1, SUBJECT, process(), True, ("NL-04",))
    assert result.baseline.entries[PROBE].standing is Standing.NEEDS_REVIEW


def test_what_was_rejected_is_never_learned_again_but_counted() -> None:
    baseline = Baseline(SUBJECT.baseline_key)
    baseline.entries[A] = Entry("learned", 5, 5, 1, frozenset({"old"}), Standing.REJECTED)
    result = Learning(baseline)
    for failed in ((), ("NL-05",)):
        assert not result.observe(A, 9, SUBJECT, process(), False, failed)
    entry = baseline.entries[A]
    assert (entry.standing, entry.count, entry.last_ns, A in result.matcher) == (Standing.REJECTED, 3, 9, False)


def test_only_names_the_image_did_not_give_are_folded() -> None:
    result = fresh()
    for number in range(30):
        result.observe(OpenBehaviour(f"/srv/made/x{number}y", "read"), 1, SUBJECT, process(), False, data=True)
        result.observe(OpenBehaviour(f"/srv/shipped/x{number}y", "read"), 1, SUBJECT, process(), False)
    result.finish()
    paths = {one.path for one in result.baseline.entries if isinstance(one, OpenBehaviour)}
    assert {f"/srv/shipped/x{number}y" for number in range(30)} < paths
    assert [path for path in paths if path.startswith("/srv/made/")] == ["/srv/made/*"]


def test_healing_takes_its_own_window_and_leaves_no_reason_behind() -> None:
    baseline = Baseline(SUBJECT.baseline_key, startups=2, losses=23, partial=("attached late",), elapsed_ns=0)
    result = Learning(baseline, "losses 23", heals=True)
    result.startups.begin(SUBJECT.cgroup)
    result.advance(0, True)
    result.advance(50 * SECOND, True, 60 * SECOND)
    assert not result.started
    result.advance(70 * SECOND, True, 60 * SECOND)
    assert result.started
    result.finish()
    assert baseline.reasons == ()


def test_a_healing_with_losses_heals_nothing() -> None:
    baseline = Baseline(SUBJECT.baseline_key, losses=23)
    result = Learning(baseline, "losses 23", heals=True)
    result.startups.begin(SUBJECT.cgroup)
    result.startups.begin(99)
    result.note_losses(1, SUBJECT.cgroup)
    result.ended(99)
    result.finish()
    assert (result.started, result.lost, baseline.reasons) == (True, True, ("losses 24",))
