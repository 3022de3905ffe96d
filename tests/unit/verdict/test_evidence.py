"""A deviation carries all that is known about its event."""

from __future__ import annotations

import pytest
from hypothesis import given

from driftline.baseline.matching import Matcher
from driftline.nouns import Event, ExecImage, Origin
from driftline.verdict.evidence import MAX_ANCESTORS, Context, deviation_of
from driftline.verdict.judge import judge
from driftline.verdict.outcome import EXPECTED
from driftline.verdict.uuid7 import Uuid7
from unit.baseline.making import SUBJECT, connected, events, executed, opened

IMAGE = ExecImage(3, 100, 7, "/usr/bin/python3.11", ("python3", "app.py"), 1000, False)
IDS = Uuid7()


def test_of_an_exec() -> None:
    event = executed("/tmp/x", argv=("x", "-v"), origin=Origin.WRITABLE, cwd="/tmp", tty="pts/0", flags=1)
    context = Context("node1", 50, SUBJECT, "sha256:v", True, ("attached late",), None, (IMAGE,) * 20, "ab", "")
    deviation = deviation_of(event, judge(event, SUBJECT, Matcher(), True), context, IDS)
    assert (deviation.exe, deviation.argv, deviation.cwd, deviation.tty) == ("/tmp/x", ("x", "-v"), "/tmp", "pts/0")
    assert (deviation.first_wall_ns, deviation.first_kernel_ns, deviation.count) == (50, event.kernel_ns, 1)
    assert (deviation.node, deviation.baseline, deviation.learning) == ("node1", "sha256:v", True)
    assert (deviation.sha256, deviation.flags, deviation.file) == ("ab", 1, event.file)
    assert len(deviation.ancestors) == MAX_ANCESTORS
    assert deviation.notes[-1] == "baseline partial: attached late"


def test_of_an_open_and_a_connect_it_tells_the_program() -> None:
    context = Context("node1", 50, SUBJECT, image=IMAGE)
    event = opened("/etc/shadow", 1)
    deviation = deviation_of(event, judge(event, SUBJECT, Matcher(), False), context, IDS)
    assert (deviation.exe, deviation.argv, deviation.access) == (IMAGE.path, IMAGE.argv, 1)
    connect = connected("10.0.0.7", 22)
    deviation = deviation_of(connect, judge(connect, SUBJECT, Matcher(), False), context, IDS)
    assert (deviation.protocol, deviation.address, deviation.port) == ("tcp", "10.0.0.7", 22)
    assert deviation.file is None


def test_an_expected_event_is_none() -> None:
    with pytest.raises(ValueError, match="no deviation"):
        deviation_of(opened("/a"), EXPECTED, Context("n", 1, SUBJECT), IDS)


@given(events)
def test_any_event_that_is_told_can_be_told(event: Event) -> None:
    verdict = judge(event, SUBJECT, Matcher(), False)
    if verdict.kind is not None:
        deviation = deviation_of(event, verdict, Context("n", 1, SUBJECT), IDS)
        assert (deviation.kind, deviation.sentence) == (verdict.kind, verdict.sentence)
