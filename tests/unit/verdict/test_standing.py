"""A baseline that judges while it is learned again: quiet about what is new, loud about what fails a check."""

from __future__ import annotations

from driftline.baseline.matching import Matcher
from driftline.nouns import Event, Kind, Origin, Severity
from driftline.verdict.judge import judge
from driftline.verdict.outcome import EXPECTED, Verdict
from driftline.verdict.standing import AGAIN, REJECTED, learned_again, pending, rejected, unconfirmed
from unit.baseline.making import SUBJECT, connected, executed, opened

WHY = "losses 3"


def again(event: Event) -> Verdict:
    return learned_again(judge(event, SUBJECT, Matcher(), False), WHY)


def test_what_is_new_and_may_be_learned_is_told_quietly_and_learned() -> None:
    for event in (executed("/bin/id"), opened("/data/a", 2, Origin.WRITABLE), connected("10.0.0.1")):
        verdict = again(event)
        assert (verdict.severity, verdict.learn, verdict.review) == (Severity.LOW, True, False)
        assert f"{AGAIN}: {WHY}" in verdict.notes
    assert again(opened("/usr/share/a")).severity is Severity.INFO


def test_what_fails_a_check_is_as_loud_as_ever_and_put_up_for_review() -> None:
    for event in (executed("/tmp/x", origin=Origin.WRITABLE), opened("/etc/shadow"), connected("169.254.169.254")):
        plain, verdict = judge(event, SUBJECT, Matcher(), False), again(event)
        assert verdict == plain._replace(review=True)
        assert not verdict.learn


def test_what_is_expected_or_rejected_stays_so() -> None:
    assert learned_again(EXPECTED, WHY) == EXPECTED
    refused = rejected(judge(opened("/data/a"), SUBJECT, Matcher(), False))
    assert learned_again(refused, WHY) == refused
    assert refused.kind is Kind.FILE_READ_UNKNOWN


def test_the_sentence_does_not_say_never_of_what_the_baseline_holds() -> None:
    for event in (executed("/bin/id"), opened("/data/a", 2, Origin.WRITABLE), connected("10.0.0.1")):
        plain = judge(event, SUBJECT, Matcher(), False)
        assert plain.sentence.endswith(" while the image was learned")
        for say in (rejected, pending, unconfirmed):
            told = say(plain)
            assert told.sentence.endswith(f": it {told.notes[-1]}")
            assert told.sentence.partition(": ")[0] == plain.sentence.partition(": ")[0]


def test_what_a_check_says_stays_in_the_sentence() -> None:
    plain = judge(opened("/etc/shadow"), SUBJECT, Matcher(), False)
    assert rejected(plain).sentence == plain.sentence
    assert REJECTED in rejected(plain).notes
