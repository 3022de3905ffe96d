"""The demo's sums: what counts as seen, as a false alarm, as neither."""

from __future__ import annotations

import json
import time

import pytest

from attacks import ATTACKS, EXPECTED
from driftline.nouns import Kind
from score import Score, percentile

SHADOW = next(attack for attack in ATTACKS if any("shadow" in one.what for one in attack.expected))
DROP = ATTACKS[0]
CONTAINER = "web"


def line(kind: Kind, what: str, identifier: str = "1", container: str = CONTAINER, age_ns: int = 0) -> str:
    return json.dumps(
        {
            "id": identifier,
            "kind": kind,
            "what": what,
            "severity": "high",
            "sentence": what,
            "count": 1,
            "first_kernel_ns": time.monotonic_ns() - age_ns,
            "subject": {"container_id": container},
        }
    )


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def score(lines: list[str]) -> Score:
    made = Score(lines.append, colour=False)
    made.watch(CONTAINER)
    return made


def sums(score: Score) -> str:
    return score.last_line(losses=0).rpartition(", p50")[0]


def test_nothing_came(score: Score) -> None:
    assert score.last_line(0) == f"demo: 0 of {EXPECTED} deviations, 0 false alarms, 0 losses, p50 0.0 ms, p99 0.0 ms"
    assert not score.complete(0)


def test_expected_deviation_is_seen_once_and_its_repeat_is_not_printed(score: Score, lines: list[str]) -> None:
    score.begin(SHADOW)
    for _ in range(2):
        score.take(line(Kind.FILE_READ_SENSITIVE, "/etc/shadow"))
    assert sums(score) == f"demo: 1 of {EXPECTED} deviations, 0 false alarms, 0 losses"
    assert len(lines) == 1


def test_deviation_before_any_attack_is_a_false_alarm(score: Score, lines: list[str]) -> None:
    score.take(line(Kind.FILE_READ_SENSITIVE, "/etc/shadow"))
    assert score.false_alarms == 1
    assert lines[0].endswith("FALSE ALARM")


def test_deviation_from_before_the_attack_is_not_the_attacks(score: Score) -> None:
    score.begin(SHADOW)
    score.take(line(Kind.FILE_READ_SENSITIVE, "/etc/shadow", age_ns=10**9))
    assert sums(score) == f"demo: 0 of {EXPECTED} deviations, 1 false alarms, 0 losses"


def test_deviation_the_attack_does_not_explain_is_a_false_alarm(score: Score) -> None:
    score.begin(SHADOW)
    score.take(line(Kind.FILE_READ_UNKNOWN, "/app/pages/index.html"))
    score.take(line(Kind.EXEC_DRIFT, "/etc/shadow", "2"))
    assert score.false_alarms == 2


def test_trace_is_neither_seen_nor_an_alarm(score: Score) -> None:
    score.begin(DROP)
    score.take(line(Kind.FILE_READ_UNKNOWN, "/usr/bin/uname"))
    assert sums(score) == f"demo: 0 of {EXPECTED} deviations, 0 false alarms, 0 losses"


def test_trace_path_with_a_worse_kind_is_an_alarm(score: Score) -> None:
    score.begin(DROP)
    score.take(line(Kind.FILE_WRITE_CODE, "/usr/bin/uname"))
    assert score.false_alarms == 1


def test_other_containers_do_not_count(score: Score, lines: list[str]) -> None:
    score.take(line(Kind.EXEC_DRIFT, "/tmp/x", container="other"))
    assert (score.false_alarms, lines) == (0, [])


def test_coverage_gap_is_printed_but_no_alarm(score: Score, lines: list[str]) -> None:
    score.take(line(Kind.COVERAGE_GAP, "exec ring_full", container=""))
    assert score.false_alarms == 0
    assert len(lines) == 1


def test_all_seen_is_complete_only_without_losses(score: Score) -> None:
    for number, attack in enumerate(ATTACKS):
        score.begin(attack)
        for one in attack.expected:
            score.take(line(one.kind, example(one.what), f"{number} {one.kind} {one.what}"))
        assert score.wait(0)
    assert score.complete(losses=0)
    assert not score.complete(losses=1)
    assert sums(score) == f"demo: {EXPECTED} of {EXPECTED} deviations, 0 false alarms, 0 losses"


def example(pattern: str) -> str:
    """A text that the pattern of an expected deviation matches: they are plain but for anchors."""
    return pattern.replace(".*", "").strip("^$").replace("\\", "")


def test_missing_deviation_is_waited_for_and_missed(score: Score) -> None:
    score.begin(SHADOW)
    score.take(line(Kind.FILE_READ_SENSITIVE, "/etc/shadow"))
    assert not score.wait(0.01)


def test_hostile_sentence_was_escaped_by_the_tail_and_stays_so(score: Score, lines: list[str]) -> None:
    score.take(line(Kind.EXEC_DRIFT, "/tmp/\\x1b[2J"))
    assert "\x1b" not in lines[0]


@pytest.mark.parametrize(("percent", "expected"), [(50, 2.0), (99, 4.0), (100, 4.0), (1, 1.0)])
def test_percentile_is_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == expected


def test_every_attack_expects_something_and_has_its_payload() -> None:
    from attacks import PAYLOADS

    for attack in ATTACKS:
        assert attack.expected
        assert not attack.body.endswith(".py") or (PAYLOADS / attack.body).is_file()
