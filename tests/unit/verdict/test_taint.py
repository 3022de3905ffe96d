"""What a program that was told does while an image is learned teaches nothing; nor does what it starts."""

from __future__ import annotations

import pytest

from driftline.baseline.matching import Matcher
from driftline.nouns import Event, Origin, RecordFlag
from driftline.verdict import taint as module
from driftline.verdict.judge import judge
from driftline.verdict.taint import Taint
from unit.baseline.making import SUBJECT, executed, opened


def mark(taint: Taint, event: Event) -> bool:
    return taint.mark(event, judge(event, SUBJECT, Matcher(), True))


def is_tainted(taint: Taint, exec_id: int) -> bool:
    return mark(taint, of_image(opened("/data/any"), exec_id))


def of_image(event: Event, exec_id: int) -> Event:
    event.process.exec_id = exec_id
    return event


def test_a_dropped_program_and_its_children_are_tainted() -> None:
    taint = Taint()
    assert not mark(taint, executed("/bin/sh", exec_id=10, by_exec_id=1))
    assert not mark(taint, executed("/tmp/x", origin=Origin.WRITABLE, exec_id=11, by_exec_id=10))
    assert mark(taint, of_image(opened("/data/a"), 11))
    assert mark(taint, executed("/bin/ls", exec_id=12, by_exec_id=11))
    assert mark(taint, of_image(opened("/data/b"), 12))
    assert not mark(taint, of_image(opened("/data/a"), 10))
    assert not mark(taint, executed("/bin/ls", exec_id=13, by_exec_id=10))


def test_a_terminal_and_a_remote_shell_taint_too_but_a_probe_does_not() -> None:
    taint, entered = Taint(), int(RecordFlag.ENTERED)
    assert not mark(taint, executed("/bin/sh", by="", flags=entered, tty="pts/0", exec_id=11))
    assert mark(taint, executed("/bin/ls", by="/bin/sh", flags=entered, exec_id=12, by_exec_id=11))
    mark(taint, executed("/bin/sh", inet_stdio=3, exec_id=13))
    assert is_tainted(taint, 13)
    mark(taint, executed("/bin/probe", by="", flags=entered, exec_id=14))
    assert not is_tainted(taint, 14)


def test_unknown_images_are_never_tainted() -> None:
    taint = Taint()
    mark(taint, executed("/tmp/x", origin=Origin.WRITABLE, exec_id=0))
    assert not mark(taint, of_image(opened("/data/a"), 0))
    assert not mark(taint, executed("/bin/ls", exec_id=5, by="", by_exec_id=0))


def test_it_is_bounded_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TAINTED", 1)
    taint = Taint()
    for exec_id in (11, 12):
        mark(taint, executed("/tmp/x", origin=Origin.WRITABLE, exec_id=exec_id))
    assert not mark(taint, of_image(opened("/a"), 11))
    assert mark(taint, of_image(opened("/a"), 12))
    assert taint.evictions == 1
