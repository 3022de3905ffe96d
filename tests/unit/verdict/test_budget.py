"""A storm in one container is summed, makes nobody else late, and hides nothing of another kind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.nouns import Deviation, Kind, Loss, Severity
from driftline.verdict import budget
from driftline.verdict.budget import BURST_SECONDS, NS, Budgets
from driftline.verdict.folding import Folder
from unit.baseline.making import SUBJECT
from unit.verdict.test_folding import told

RATE = 5
BURST = RATE * BURST_SECONDS
QUIET = replace(SUBJECT, cgroup=SUBJECT.cgroup + 1, container_id="b" * 64)


def one(at: int, number: int, kind: Kind = Kind.EXEC_UNKNOWN, **changes: object) -> Deviation:
    """A deviation like no other, at ``at``."""
    return replace(told(at, argv=("x", str(number))), kind=kind, **changes)  # type: ignore[arg-type]


def test_a_burst_is_told_then_one_stands_for_the_rest() -> None:
    folder = Folder(60 * NS, RATE)
    alone = [folder.offer(one(0, number)) for number in range(BURST + 12_431)]
    assert [deviation is not None for deviation in alone] == [True] * BURST + [False] * 12_431
    assert folder.expire(0) == []
    (held,) = folder.expire(1 * NS)
    assert held.count == 12_431
    assert held.argv == ("x", str(BURST))  # the first of them, with its evidence
    assert held.notes[-1].startswith("held back: its container has over 5 of this kind a second")
    assert folder.budgets.held_back == 12_431
    assert folder.expire(20 * NS) == []  # nothing new


def test_what_comes_after_is_an_update_of_it() -> None:
    folder = Folder(60 * NS, RATE)
    for number in range(BURST + 3):
        folder.offer(one(0, number))
    (held,) = folder.expire(1 * NS)
    for number in range(1000, 1007):
        folder.offer(one(0, number))
    assert folder.expire(10 * NS) == []
    (again,) = folder.expire(11 * NS)
    assert (again.id, held.count, again.count) == (held.id, 3, 10)


def test_another_container_and_another_kind_are_told_on_time() -> None:
    """The storm goes on; whoever else has something to tell has it told at once."""
    folder = Folder(60 * NS, RATE)
    for number in range(BURST * 3):
        folder.offer(one(0, number))
        if number % 10 == 0:
            quiet = one(0, number, subject=QUIET)
            assert folder.offer(quiet) is quiet
    other = one(0, 0, Kind.CONNECT_METADATA)
    assert folder.offer(other) is other


def test_an_event_beyond_the_budget_needs_no_deviation() -> None:
    budgets = Budgets(RATE, 60 * NS)
    assert not budgets.over(SUBJECT, Kind.EXEC_UNKNOWN, Severity.HIGH, 0, 0)
    for number in range(BURST + 1):
        budgets.take(one(0, number, severity=Severity.HIGH))
    assert budgets.over(SUBJECT, Kind.EXEC_UNKNOWN, Severity.HIGH, 5, 5)
    assert not budgets.over(SUBJECT, Kind.EXEC_UNKNOWN, Severity.CRITICAL, 5, 5)
    assert not budgets.over(QUIET, Kind.EXEC_UNKNOWN, Severity.HIGH, 5, 5)
    assert not budgets.over(SUBJECT, Kind.EXEC_UNKNOWN, Severity.HIGH, 1 * NS, 0)  # it may again
    assert budgets.held_back == 2


def test_it_fills_again() -> None:
    budgets = Budgets(RATE, 60 * NS)
    assert sum(budgets.take(one(0, number)) for number in range(BURST * 2)) == BURST
    assert sum(budgets.take(one(2 * NS, number)) for number in range(BURST * 2)) == 2 * RATE


def test_losses_and_no_limit_are_never_held_back() -> None:
    gap = one(0, 0, Kind.COVERAGE_GAP, loss=Loss("exec", "ring_full", 1))
    assert all(Budgets(1, NS).take(gap) for _ in range(100))
    assert all(Budgets(0, NS).take(one(0, number)) for number in range(1000))


def test_its_tables_are_bounded_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_HELD", 3)
    monkeypatch.setattr(budget, "MAX_BUDGETS", 4)
    monkeypatch.setattr(budget, "BURST_SECONDS", 1)
    budgets, alone = Budgets(1, 60 * NS), 0
    for number in range(200):
        subject = replace(SUBJECT, cgroup=number // 10)
        alone += budgets.take(one(0, number, subject=subject))
    assert alone + sum(deviation.count for deviation in budgets.drain(0)) == 200
    assert len(budgets._tokens) <= 4


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, NS // 3, 20 * NS])), max_size=300))
def test_every_deviation_is_told_or_counted(steps: list[tuple[int, int]]) -> None:
    """Whatever comes when: the counts of all that was told, at their latest, are all there was."""
    budgets, latest, now = Budgets(1, 60 * NS), dict[str, int](), 0
    for number, (container, pause) in enumerate(steps):
        now += pause
        deviation = one(now, number, subject=replace(SUBJECT, cgroup=container))
        if budgets.take(deviation):
            latest[deviation.id] = deviation.count
        latest.update((update.id, update.count) for update in budgets.expire(now))
    latest.update((update.id, update.count) for update in budgets.drain(now))
    assert sum(latest.values()) == len(steps)
