"""Repeats recognised before their deviation is made: counted alike, and never more than the full key would fold."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pytest

from driftline.baseline.matching import Matcher
from driftline.nouns import Access, ConnectEvent, Deviation, Event, OpenEvent, Subject
from driftline.verdict import folding
from driftline.verdict.evidence import Context, deviation_of
from driftline.verdict.folding import Folder, brief_key
from driftline.verdict.judge import judge
from driftline.verdict.uuid7 import Uuid7
from unit.baseline.making import SUBJECT, connected, executed, opened

IDS = Uuid7()
WINDOW = 60
JUDGED = ("version", False, ())


def brief(event: Event, subject: Subject = SUBJECT, judged: Hashable = JUDGED) -> Hashable | None:
    return brief_key(event, judge(event, subject, Matcher(), False), subject, judged)


def deviation(event: Event) -> Deviation:
    context = Context("n", 1_000 + event.kernel_ns, SUBJECT)
    return deviation_of(event, judge(event, SUBJECT, Matcher(), False), context, IDS)


def at(event: Event, kernel_ns: int) -> Event:
    return replace(event, kernel_ns=kernel_ns)


def offered(folder: Folder, event: Event) -> Deviation | None:
    return folder.offer(deviation(event), brief(event))


def test_a_repeat_counts_in_the_update_with_its_times() -> None:
    folder, event = Folder(WINDOW), at(opened("/srv/a"), 0)
    first = offered(folder, event)
    assert first is not None
    assert folder.repeat(brief(event), 30, 1_030, "")
    assert folder.repeat(brief(event), 20, 1_020, "")
    assert folder.expire(60) == [replace(first, count=3, last_kernel_ns=30, last_wall_ns=1_030)]


def test_what_was_not_offered_is_no_repeat() -> None:
    assert not Folder(WINDOW).repeat(brief(opened("/srv/a")), 0, 0, "")


def test_after_the_window_it_must_be_offered_again() -> None:
    folder, event = Folder(WINDOW), at(opened("/srv/a"), 0)
    offered(folder, event)
    assert not folder.repeat(brief(event), 60, 1_060, "")
    assert offered(folder, at(event, 60)) is not None
    assert folder.repeat(brief(event), 61, 1_061, "")


def test_a_fold_that_ended_takes_no_more_repeats() -> None:
    folder, event = Folder(WINDOW), at(opened("/srv/a"), 0)
    offered(folder, event)
    folder.expire(60)
    assert not folder.repeat(brief(event), 59, 1_059, "")


def test_a_fold_ended_early_takes_no_more_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "MAX_FOLDS", 1)
    folder, first, second = Folder(WINDOW), opened("/srv/a"), opened("/srv/b")
    offered(folder, first)
    offered(folder, second)
    assert not folder.repeat(brief(first), 1, 1_001, "")
    assert folder.repeat(brief(second), 1, 1_001, "")


def test_an_exec_has_no_brief_key() -> None:
    """Its arguments, environment and file count too; execs are few."""
    assert brief(executed("/tmp/x")) is None


OPENS: list[dict[str, Any]] = [
    {"access": int(Access.WRITE)},
    {"flags": 4},
    {"file": opened("/srv/b").file},
    {"process": replace(opened("/srv/a").process, exec_id=99)},
    {"process": replace(opened("/srv/a").process, uid=99)},
    {"process": replace(opened("/srv/a").process, euid=99)},
    {"process": replace(opened("/srv/a").process, gid=99)},
]


@pytest.mark.parametrize("change", OPENS)
def test_different_opens_have_different_brief_keys(change: dict[str, Any]) -> None:
    event = opened("/srv/a")
    assert isinstance(event, OpenEvent)
    assert brief(replace(event, **change)) != brief(event)


@pytest.mark.parametrize("change", [{"address": "192.0.2.9"}, {"port": 9}, {"protocol": "udp"}])
def test_different_connects_have_different_brief_keys(change: dict[str, Any]) -> None:
    event = connected("192.0.2.1", 1)
    assert isinstance(event, ConnectEvent)
    assert brief(replace(event, **change)) != brief(event)


def test_another_container_or_baseline_has_another_brief_key() -> None:
    event = opened("/srv/a")
    assert brief(event, replace(SUBJECT, cgroup=99)) != brief(event)
    assert brief(event, replace(SUBJECT, container_id="other")) != brief(event)
    assert brief(event, judged=("other", False, ())) != brief(event)


def test_pid_and_time_do_not_tell_things_apart() -> None:
    event = opened("/srv/a")
    assert brief(replace(event, kernel_ns=9, process=replace(event.process, pid=99, tid=99))) == brief(event)
