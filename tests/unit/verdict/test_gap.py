"""Losses are told: summed, named, nothing left out, nothing twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.nouns import Kind, Loss, Subject
from driftline.verdict import gap
from driftline.verdict.gap import Gaps
from driftline.verdict.uuid7 import Uuid7
from unit.baseline.making import SUBJECT


def known(cgroup: int) -> Subject | None:
    return SUBJECT if cgroup == SUBJECT.cgroup else None


def test_losses_are_summed_by_hook_cause_and_container() -> None:
    gaps = Gaps("node1", Uuid7())
    gaps.add([Loss("open", "ring_full", 3, 5), Loss("open", "ring_full", 4, 5), Loss("exec", "ring_full", 1, 5)])
    gaps.add([Loss("open", "ring_full", 2), Loss("open", "ring_full", 0, 6)])
    told = gaps.tell(1_000, 50, known)
    assert [deviation.loss for deviation in told] == [
        Loss("exec", "ring_full", 1, 5),
        Loss("open", "ring_full", 2, 0),
        Loss("open", "ring_full", 7, 5),
    ]
    assert {deviation.kind for deviation in told} == {Kind.COVERAGE_GAP}
    assert told[2].subject is SUBJECT
    assert told[2].sentence == "open: ring_full: events of shop-1/web were lost, nobody knows what they were"
    assert [deviation.count for deviation in told] == [1, 2, 7]
    assert told[1].sentence == (
        "open: ring_full: events of containers nobody can name were lost, nobody knows what they were"
    )
    assert gaps.tell(1_000, 50, known) == []


def test_a_container_nobody_knows_keeps_its_cgroup() -> None:
    gaps = Gaps("node1", Uuid7())
    gaps.add([Loss("open", "bucket", 1, 77)])
    (told,) = gaps.tell(1_000, 50, known)
    assert (told.subject.cgroup, told.node) == (77, "node1")


losses = st.builds(
    Loss, st.sampled_from(("open", "exec")), st.sampled_from(("a", "b")), st.integers(-2, 9), st.integers(0, 6)
)


@given(st.lists(losses))
def test_whatever_is_lost_is_told_exactly(lost: list[Loss]) -> None:
    before, gap.MAX_GAPS = gap.MAX_GAPS, 3
    try:
        gaps = Gaps("n", Uuid7())
        gaps.add(lost)
        told = [deviation.loss for deviation in gaps.tell(1, 1, known)]
    finally:
        gap.MAX_GAPS = before
    assert sum(loss.count for loss in told if loss) == sum(loss.count for loss in lost if loss.count > 0)


def test_too_many_containers_are_summed_as_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gap, "MAX_GAPS", 1)
    gaps = Gaps("n", Uuid7())
    gaps.add([Loss("open", "a", 1, 5), Loss("open", "a", 2, 6), Loss("open", "a", 3, 7)])
    assert [deviation.loss for deviation in gaps.tell(1, 1, known)] == [
        Loss("open", "a", 5, 0),
        Loss("open", "a", 1, 5),
    ]
