"""The queue keeps order, and what matters."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from driftline.nouns import Severity
from driftline.report.queue import SeverityQueue
from unit.wire.samples import deviation


def test_order_of_arrival_across_severities() -> None:
    queue = SeverityQueue(10)
    put = [deviation(severity=severity) for severity in (Severity.LOW, Severity.CRITICAL, Severity.LOW, Severity.HIGH)]
    for item in put:
        assert queue.put(item) is None
    assert [queue.pop() for _ in range(5)] == [*put, None]


def test_oldest_of_lowest_severity_goes_first() -> None:
    queue = SeverityQueue(2)
    high = deviation(severity=Severity.HIGH)
    old, new = deviation(severity=Severity.LOW), deviation(severity=Severity.LOW)
    queue.put(high)
    queue.put(old)
    assert queue.put(new) is old
    assert [queue.pop(), queue.pop()] == [high, new]


def test_a_newcomer_less_urgent_than_all_goes_itself() -> None:
    queue = SeverityQueue(1)
    queue.put(deviation(severity=Severity.HIGH))
    low = deviation(severity=Severity.LOW)
    assert queue.put(low) is low


def test_an_update_takes_the_place_of_what_still_waits() -> None:
    queue = SeverityQueue(1)
    first = deviation(id="a", count=1)
    second = deviation(id="a", count=3)
    assert queue.put(first) is None
    assert queue.put(second) is None
    assert queue.put(first) is None
    assert len(queue) == 1
    assert queue.pop() == second
    assert queue.pop() is None


def test_an_amendment_without_a_repeat_takes_its_place_too() -> None:
    """The digest of an executable comes after its deviation, with the same count and times."""
    queue = SeverityQueue(1)
    queue.put(first := deviation(id="a", sha256=""))
    queue.put(replace(first, sha256="ab" * 32))
    told = queue.pop()
    assert told is not None
    assert told.sha256 == "ab" * 32


@given(st.lists(st.sampled_from(Severity), max_size=40), st.integers(1, 10))
def test_nothing_vanishes(severities: list[Severity], capacity: int) -> None:
    """What is put comes out, or is given up; never a more urgent one while a less urgent one waits."""
    queue = SeverityQueue(capacity)
    given_up = [lost for severity in severities if (lost := queue.put(deviation(severity=severity)))]
    kept = list(iter(queue.pop, None))
    assert len(kept) + len(given_up) == len(severities)
    assert len(kept) <= capacity
    if given_up and kept:
        assert sorted(d.severity.rank for d in kept) == sorted(s.rank for s in severities)[-len(kept) :]
