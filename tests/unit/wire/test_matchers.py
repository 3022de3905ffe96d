"""Matchers mean what people write; hostile ones are refused, and never take long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import SettingsError
from driftline.nouns import Kind, Severity, Subject
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.matchers import FIELDS, fault, matches, parse_matcher, shown
from unit.wire import samples

DEVIATION = deviation_to_wire(
    samples.deviation(
        kind=Kind.EXEC_UNKNOWN,
        severity=Severity.HIGH,
        what="/tmp/a b",
        checks=("NL-07", "NL-12"),
        subject=Subject(1, "/x", name="web", container_id="ab" * 32, image="docker.io/nginx:1", namespace="shop"),
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "kind=exec.unknown",
        "kind=exec",
        "kind~unk",
        "kind!=exec.drift",
        "severity=high",
        "image~nginx",
        "image!~redis",
        "namespace=shop",
        "container=web",
        f"container={'ab' * 32}",
        "container~abab",
        "what=/tmp/a b",
        "check=NL-12",
        "check!=NL-01",
        "pod!=x",
    ],
)
def test_it_matches(text: str) -> None:
    assert matches(parse_matcher(text), DEVIATION)


@pytest.mark.parametrize(
    "text", ["kind=exec.un", "kind!=exec", "severity=low", "image=nginx", "check!=NL-07", "what=/tmp/A B", "pod=x"]
)
def test_it_does_not_match(text: str) -> None:
    assert not matches(parse_matcher(text), DEVIATION)


@pytest.mark.parametrize(
    "text", ["", "kind", "kind=", "=x", "KIND=x", "colour=red", "what=" + "x" * 5000, "kind==x\n="]
)
def test_what_is_no_matcher_is_refused(text: str) -> None:
    if text == "kind==x\n=":  # the value may hold anything, and is escaped
        assert parse_matcher(text).value == r"=x\x0a="
        return
    with pytest.raises(SettingsError):
        parse_matcher(text)


@given(st.builds(pb.Matcher, field=st.text(max_size=20), operator=st.integers(0, 9), value=st.text(max_size=20)))
def test_any_message_is_judged_and_shown(matcher: pb.Matcher) -> None:
    """Whoever wrote it: no error, nothing unprintable, and what is faulty matches nothing by accident."""
    assert shown(matcher).isprintable()
    if fault(matcher).startswith(("there is no field", "unknown operator")):
        assert not matches(matcher, DEVIATION)


@given(st.sampled_from(sorted(FIELDS)), st.sampled_from(["=", "!=", "~", "!~"]), st.text(min_size=1, max_size=30))
def test_what_is_shown_means_the_same(field: str, sign: str, value: str) -> None:
    matcher = parse_matcher(f"{field}{sign}{value}")
    positive = parse_matcher(f"{field}{sign[-1]}{value}")
    assert matches(matcher, DEVIATION) != (sign[0] == "!") or not matches(positive, DEVIATION)
    assert shown(matcher).startswith(f"{field}{sign}")
