"""Repeats fold into one with a count; different things never do; nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.matching import Matcher
from driftline.nouns import Deviation, ExecImage, Kind, Loss, Origin, Process, Severity
from driftline.verdict import folding
from driftline.verdict.evidence import Context, deviation_of
from driftline.verdict.folding import Folder, fold_key
from driftline.verdict.judge import judge
from driftline.verdict.uuid7 import Uuid7
from unit.baseline.making import SUBJECT, executed

IDS = Uuid7()
WINDOW = 60


def told(at: int = 0, argv: tuple[str, ...] = ("x",), pid: int = 1) -> Deviation:
    event = replace(executed("/tmp/x", argv=argv, origin=Origin.WRITABLE, pid=pid), kernel_ns=at)
    return deviation_of(event, judge(event, SUBJECT, Matcher(), False), Context("n", 1_000 + at, SUBJECT), IDS)


def test_the_first_goes_out_at_once_and_repeats_as_one_update() -> None:
    folder = Folder(WINDOW)
    first = told(0)
    assert folder.offer(first) is first
    assert folder.offer(told(30, pid=2)) is None
    assert folder.offer(told(59, pid=3)) is None
    assert folder.expire(59) == []
    assert folder.expire(60) == [replace(first, count=3, last_kernel_ns=59, last_wall_ns=1059)]
    assert folder.expire(1_000) == []


def test_one_that_was_not_repeated_gets_no_update() -> None:
    folder = Folder(WINDOW)
    folder.offer(told(0))
    assert folder.expire(1_000) == []


def test_after_the_window_it_is_told_anew_with_what_was_before() -> None:
    folder = Folder(WINDOW)
    first, later = told(0), told(60)
    folder.offer(first)
    folder.offer(told(10))
    assert folder.offer(later) == replace(later, notes=(*later.notes, "like it before: 2, the last 0 s earlier"))
    assert folder.offer(told(70)) is None  # the note makes it no other thing
    (update,) = folder.expire(61)
    assert (update.id, update.count) == (first.id, 2)
    assert [(one.id, one.count) for one in folder.drain()] == [(later.id, 2)]


OTHERS: list[dict[str, Any]] = [
    {"kind": Kind.EXEC_UNKNOWN},
    {"severity": Severity.LOW},
    {"subject": replace(SUBJECT, container_id="other")},
    {"subject": replace(SUBJECT, cgroup=6)},
    {"what": "/tmp/y"},
    {"exe": "/tmp/y"},
    {"argv": ("x", "y")},
    {"cwd": "/y"},
    {"tty": "pts/1"},
    {"access": 2},
    {"sha256": "other"},
    {"address": "10.0.0.1"},
    {"port": 80},
    {"protocol": "udp"},
    {"flags": 4},
    {"environment": ("LD_PRELOAD",)},
    {"learning": True},
    {"baseline": "other"},
    {"node": "other"},
    {"notes": ("other",)},
    {"ancestors": (ExecImage(1, 1, 1, "/bin/sh", ("sh",), 0, False),)},
    {"process": Process(1, 1, 1, 7, 3, 0, 1000, 1000, "web")},
    {"file": replace(told().file or pytest.fail("no file"), inode=99)},
    {"loss": Loss("open", "ring", 1)},
]


@pytest.mark.parametrize("change", OTHERS, ids=lambda change: next(iter(change)))
def test_different_things_never_fold(change: dict[str, Any]) -> None:
    folder = Folder(WINDOW)
    one, other = told(), replace(told(), **change)
    assert folder.offer(one) is one
    assert folder.offer(other) is other


def test_pid_and_time_do_not_tell_things_apart() -> None:
    one, other = told(0, pid=1), told(40, pid=2)
    assert fold_key(one) == fold_key(other)


def test_an_update_carries_what_was_found_out_since() -> None:
    folder = Folder(WINDOW)
    first = told(0)
    folder.offer(first)
    folder.amend(first, replace(first, sha256="ab"))
    folder.offer(told(1))
    (update,) = folder.expire(WINDOW)
    assert (update.id, update.sha256, update.count) == (first.id, "ab", 2)
    folder.amend(first, replace(first, sha256="cd"))  # its window is over
    assert folder.drain() == []


def test_a_later_windows_deviation_is_not_amended_by_an_earlier_ones() -> None:
    folder = Folder(WINDOW)
    first, second = told(0), told(100)
    folder.offer(first)
    folder.offer(second)
    folder.amend(first, replace(first, sha256="ab"))
    folder.offer(told(101))
    (update,) = folder.drain()
    assert (update.id, update.sha256) == (second.id, "")


def test_folded_losses_add_up() -> None:
    folder = Folder(WINDOW)
    for at, count in ((0, 500), (10, 30)):
        loss = Loss("open", "ring_full", count, 5)
        folder.offer(replace(told(at), kind=Kind.COVERAGE_GAP, count=count, loss=loss))
    (update,) = folder.expire(WINDOW)
    assert (update.count, update.loss) == (530, Loss("open", "ring_full", 530, 5))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), max_size=40), st.integers(1, 3))
def test_every_occurrence_is_counted_once(steps: list[tuple[int, int]], bound: int) -> None:
    """Whatever comes in whatever order: the counts of what was told last add up to what was offered."""
    before, folding.MAX_FOLDS = folding.MAX_FOLDS, bound
    try:
        folder, latest, now = Folder(WINDOW), dict[str, int](), 0
        for which, pause in steps:
            now += pause
            out = folder.offer(told(now, argv=(str(which),)))
            for deviation in [*folder.expire(now), *([out] if out else [])]:
                latest[deviation.id] = deviation.count
        latest |= {deviation.id: deviation.count for deviation in folder.drain()}
        assert sum(latest.values()) == len(steps)
    finally:
        folding.MAX_FOLDS = before


def test_when_full_the_oldest_is_told_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "MAX_FOLDS", 1)
    folder = Folder(WINDOW)
    first = told(0, argv=("a",))
    folder.offer(first)
    folder.offer(told(1, argv=("a",)))
    folder.offer(told(2, argv=("b",)))
    (update,) = folder.expire(2)
    assert (update.id, update.count) == (first.id, 2)
    assert folder.early == 1
