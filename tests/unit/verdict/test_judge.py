"""What must hold of every verdict, whatever the event."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.behaviour import behaviour_of
from driftline.baseline.learning import Learning
from driftline.baseline.matching import Matcher
from driftline.baseline.schema import Baseline
from driftline.nouns import Behaviour, Event, Kind, RecordFlag
from driftline.verdict.checks.table import CHECKS
from driftline.verdict.judge import judge, judge_compared
from driftline.verdict.kinds import RULES, TECHNIQUES
from driftline.verdict.outcome import Verdict
from unit.baseline.making import SUBJECT, behaviours, events


def check(verdict: Verdict, learning: bool) -> None:
    if verdict.kind is None:
        assert verdict.compare or verdict.learn or not verdict.sentence
        assert verdict.learn <= learning
        return
    rule = RULES[verdict.kind]
    assert not verdict.cacheable
    assert not verdict.compare
    assert verdict.learn <= (learning and rule.learnable)
    assert verdict.review <= (learning and bool(verdict.checks))
    assert set(verdict.checks) <= set(CHECKS)
    assert rule.while_learning != "never" or not learning
    assert verdict.what
    assert verdict.what in verdict.sentence
    assert verdict.technique in TECHNIQUES or verdict.kind is Kind.FILE_WRITE_UNKNOWN


@given(events, st.sets(behaviours, max_size=3), st.booleans())
def test_every_event_gets_a_sound_verdict(event: Event, known: set[Behaviour], learning: bool) -> None:
    check(judge(event, SUBJECT, Matcher(known), learning), learning)
    for same in (True, False, None):
        check(judge_compared(event, SUBJECT, Matcher(known), learning, same), learning)


@given(events)
def test_in_detection_only_what_the_baseline_holds_or_the_image_ships_is_cached(event: Event) -> None:
    behaviour = behaviour_of(event)
    verdict = judge(event, SUBJECT, Matcher(), False)
    if verdict.cacheable:
        assert behaviour is None or type(behaviour).__name__ == "LoadBehaviour"


@given(st.lists(events, max_size=8))
def test_what_is_learned_is_silent_afterwards(seen: list[Event]) -> None:
    """And nothing of a kind that is never learned ends in the baseline: it would be silent, too."""
    learning = Learning(Baseline(SUBJECT.baseline_key))
    entered = int(RecordFlag.ENTERED)
    for event in seen:
        verdict = judge(event, SUBJECT, learning.matcher, True)
        behaviour = behaviour_of(event)
        if verdict.learn and behaviour is not None:
            learning.observe(behaviour, event.kernel_ns, SUBJECT, event.process, bool(event.flags & entered))
    for event in seen:
        empty = judge(event, SUBJECT, Matcher(), True)
        after = judge(event, SUBJECT, learning.matcher, False)
        if empty.kind is not None and not RULES[empty.kind].learnable:
            assert after.kind is empty.kind
        elif behaviour_of(event) in learning.baseline.entries and not empty.compare and empty.learn:
            assert after.kind is None
