"""Verdicts on files mapped executable."""

from __future__ import annotations

import pytest

from driftline.baseline.behaviour import behaviour_of
from driftline.baseline.matching import Matcher
from driftline.nouns import Kind, LoadBehaviour, Origin, RecordFlag, Severity
from driftline.verdict.judge import judge, judge_compared
from unit.baseline.making import SUBJECT, loaded

NOTHING = Matcher()


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize(
    ("origin", "severity"),
    [
        (Origin.WRITABLE, Severity.HIGH),
        (Origin.VOLUME, Severity.HIGH),
        (Origin.TMPFS, Severity.CRITICAL),
        (Origin.MEMFD, Severity.CRITICAL),
        (Origin.DELETED, Severity.CRITICAL),
    ],
)
def test_code_that_is_not_the_images_is_told_whatever_the_baseline_says(
    origin: Origin, severity: Severity, learning: bool
) -> None:
    event = loaded("/tmp/payload.so", origin)
    verdict = judge(event, SUBJECT, Matcher([LoadBehaviour("/tmp/payload.so")]), learning)
    assert (verdict.kind, verdict.severity, verdict.learn) == (Kind.CODE_LOAD, severity, False)
    assert verdict.review is learning
    approved = Matcher([LoadBehaviour("/tmp/payload.so", origin.value)])
    assert judge(loaded("/tmp/payload.so", origin), SUBJECT, approved, learning).kind is None


def test_code_of_the_image_is_expected_known_or_not() -> None:
    verdict = judge(loaded("/lib/a.so"), SUBJECT, NOTHING, False)
    assert (verdict.kind, verdict.cacheable) == (None, True)
    learned = judge(loaded("/lib/a.so"), SUBJECT, NOTHING, True)
    assert (learned.learn, learned.cacheable) == (True, True)
    entered = judge(loaded("/lib/a.so", flags=int(RecordFlag.ENTERED)), SUBJECT, NOTHING, True)
    assert (entered.learn, entered.cacheable) == (True, False)


@pytest.mark.parametrize("origin", [Origin.ROOTFS, Origin.UNKNOWN, Origin.HOST, Origin.PSEUDO])
def test_where_the_kernel_cannot_tell_the_baseline_decides(origin: Origin) -> None:
    event = loaded("/lib/a.so", origin)
    behaviour = behaviour_of(event)
    assert behaviour is not None
    assert judge(event, SUBJECT, NOTHING, False).kind is Kind.CODE_LOAD
    assert judge(event, SUBJECT, Matcher([behaviour]), False).kind is None
    assert judge(event, SUBJECT, NOTHING, True).learn


def test_a_copied_up_library_waits_for_its_comparison() -> None:
    event = loaded("/lib/a.so", Origin.COPYUP)
    assert judge(event, SUBJECT, NOTHING, False).compare
    assert judge_compared(event, SUBJECT, NOTHING, False, True).kind is None
    assert judge_compared(event, SUBJECT, NOTHING, False, False).kind is Kind.CODE_LOAD
