"""Filters: every condition, alone and together."""

from __future__ import annotations

from typing import Any

import pytest

from driftline.nouns import Kind, Severity, Subject
from driftline.text import escape
from driftline.wire.convert import SEVERITY_TO_WIRE, deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.filters import FILTER_KINDS, FILTER_TEXT, DeviationFilter
from unit.wire import samples

MESSAGE = deviation_to_wire(
    samples.deviation(kind=Kind.FILE_WRITE_CODE, severity=Severity.MEDIUM, node="node-a", last_wall_ns=1000)
)


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"minimum_severity": SEVERITY_TO_WIRE[Severity.MEDIUM]},
        {"kinds": ["file.write.code"]},
        {"kinds": ["exec", "file.write"]},
        {"kinds": ["file"]},
        {"node": "node-a"},
        {"namespace": "shop"},
        {"container": "web"},
        {"container": "web-0"},
        {"container": "abc123"},
        {"image": "nginx"},
        {"image": "sha256:000"},
        {"since_wall_ns": 1000},
        {"namespace": "shop", "container": "web", "kinds": ["file"]},
    ],
)
def test_matches(conditions: dict[str, Any]) -> None:
    assert DeviationFilter(pb.DeviationFilter(**conditions)).matches(MESSAGE)


@pytest.mark.parametrize(
    "conditions",
    [
        {"minimum_severity": SEVERITY_TO_WIRE[Severity.HIGH]},
        {"kinds": ["exec"]},
        {"kinds": ["file.w"]},
        {"kinds": ["file.write.code.more"]},
        {"node": "node"},
        {"namespace": "sho"},
        {"container": "we"},
        {"container": "bc123"},
        {"image": "apache"},
        {"since_wall_ns": 1001},
        {"namespace": "shop", "container": "db"},
    ],
)
def test_does_not_match(conditions: dict[str, Any]) -> None:
    assert not DeviationFilter(pb.DeviationFilter(**conditions)).matches(MESSAGE)


def test_what_is_new_matches_whatever_the_clock_of_its_node_says() -> None:
    wanted = DeviationFilter(pb.DeviationFilter(since_wall_ns=2000))
    assert not wanted.matches(MESSAGE)
    assert wanted.without_since().matches(MESSAGE)
    assert wanted.since_wall_ns == 2000


def test_hostile_names_can_be_asked_for() -> None:
    message = deviation_to_wire(samples.deviation(subject=Subject(1, "/x", name=samples.HOSTILE)))
    assert DeviationFilter(pb.DeviationFilter(container=escape(samples.HOSTILE))).matches(message)


@pytest.mark.parametrize("conditions", [{"kinds": ["exec"] * (FILTER_KINDS + 1)}, {"image": "x" * (FILTER_TEXT + 1)}])
def test_filters_are_bounded(conditions: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at most"):
        DeviationFilter(pb.DeviationFilter(**conditions))


def test_a_text_that_no_database_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        DeviationFilter(pb.DeviationFilter(namespace="a\0b"))
