"""OCSF: every field as the published schema has it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from driftline.nouns import Kind, Loss, Severity
from driftline_collector.outputs.ocsf import VERSION, detection_finding
from unit.collector.outputs import things
from unit.wire import samples


@cache
def published() -> dict[str, Any]:
    """The compiled schema of OCSF, as its server gives it."""
    found: dict[str, Any] = get_ocsf_schema(VERSION)
    return found


@cache
def validator() -> jsonschema.protocols.Validator:
    """Of the class, where no field may be that is not in the schema."""
    schema = OcsfJsonSchemaEmbedded(published()).get_class_schema("detection_finding", ["container", "host"])
    assert schema["additionalProperties"] is False
    return jsonschema.Draft202012Validator(schema)


def faults(finding: dict[str, Any]) -> list[str]:
    plain = json.loads(json.dumps(finding))
    return [f"{error.json_path}: {error.message}" for error in validator().iter_errors(plain)]


@pytest.mark.parametrize(
    "item",
    [
        things.stored(),
        things.stored(count=12, technique="T1574.006"),
        things.connect(),
        things.connect(address="@abstract", port=0, protocol="unix"),
        things.stored(kind=Kind.COVERAGE_GAP, loss=Loss("exec", "ring_full", 3), file=None, process=None),
    ],
)
def test_is_valid(item: Any) -> None:
    assert faults(detection_finding(item)) == []


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
@given(samples.deviations)
def test_any_deviation_is_valid(deviation: Any) -> None:
    """Any that ``validate`` lets in: it has an id and a node."""
    item = things.wired(replace(deviation, id="018f0000-0000-7000-8000-000000000000", node=f"n{deviation.node}"))
    assert faults(detection_finding(item)) == []


def test_the_schema_would_notice() -> None:
    finding = detection_finding(things.stored())
    assert faults({**finding, "nonsense": 1})
    assert faults({**finding, "device": {"type_id": 0}})  # objects that must have at least one of some fields
    assert faults({name: value for name, value in finding.items() if name != "severity_id"})


def test_what_is_where() -> None:
    finding = detection_finding(things.stored(severity=Severity.CRITICAL, technique="T1574.006"))
    assert (finding["class_uid"], finding["category_uid"], finding["type_uid"]) == (2004, 2, 200401)
    assert (finding["severity_id"], finding["activity_id"], finding["status_id"]) == (5, 1, 1)
    assert finding["finding_info"]["attacks"] == [
        {"technique": {"uid": "T1574"}, "sub_technique": {"uid": "T1574.006"}}
    ]
    evidence = finding["evidences"][0]
    assert evidence["process"]["cmd_line"] == "/tmp/x -a b c"
    assert evidence["process"]["parent_process"] == {"pid": 41, "path": "/bin/sh"}
    assert evidence["file"]["hashes"] == [{"algorithm": "SHA-256", "algorithm_id": 3, "value": "ab" * 32}]
    assert evidence["container"]["image"]["tag"] == "1.25"
    assert finding["metadata"]["uid"].endswith("/7")


def test_folded_repeats_are_an_update() -> None:
    finding = detection_finding(things.stored(count=3))
    assert (finding["activity_id"], finding["type_uid"], finding["count"]) == (2, 200402, 3)


def test_ids_are_those_of_the_schema() -> None:
    attributes = published()["classes"]["detection_finding"]["attributes"]
    finding = detection_finding(things.stored())
    for number, name in (("activity_id", "activity_name"), ("severity_id", "severity"), ("status_id", "status")):
        assert attributes[number]["enum"][str(finding[number])]["caption"] == finding[name]
    assert attributes["type_uid"]["enum"][str(finding["type_uid"])]["caption"] == finding["type_name"]
