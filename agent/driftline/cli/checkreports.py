"""What a check found, as text, JSON lines, JUnit XML or SARIF 2.1.0.

In: deviations, what was lost. Out: text; everything a container chose is escaped by ``driftline.text`` first, then for
XML or JSON. Formats: the JUnit schema CI servers share (testsuites, testsuite, testcase, failure, error); SARIF 2.1.0
(OASIS), with what GitHub's code scanning asks for besides. Next: the build's server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape as xml_text
from xml.sax.saxutils import quoteattr

from driftline import __version__
from driftline.nouns import Deviation, Kind, Severity
from driftline.text import escape
from driftline.verdict.kinds import RULES
from driftline.wire.jsontext import deviation_to_json, wall_time

MAX_LINES = 200
"""Deviations written out in one JUnit failure: servers cut long texts, and nobody reads more."""

_LEVELS = {Severity.INFO: "note", Severity.LOW: "note", Severity.MEDIUM: "warning"}
_SCORES = {Severity.INFO: "0.5", Severity.LOW: "3.0", Severity.MEDIUM: "5.5", Severity.HIGH: "8.0"}
"""GitHub's security-severity, on the scale of CVSS; anything else is critical."""
_LOST = "coverage"


class Format(StrEnum):
    """How to print deviations."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"


class Judged(NamedTuple):
    """What a check found."""

    found: list[Deviation]
    lost: list[Deviation]
    severity: Severity  # least of what was asked for
    files: list[Path]  # baselines


def report(judged: Judged, format: Format) -> str:
    """Return ``judged`` in ``format``, ending in a line break unless it is empty."""
    return _WRITERS[format](judged)


def _text(judged: Judged) -> str:
    lines = (f"{one.severity.value:8} {one.kind.value:19} {escape(one.sentence)}\n" for one in judged.found)
    return "".join(lines)


def _json(judged: Judged) -> str:
    return "".join(f"{deviation_to_json(one)}\n" for one in [*judged.found, *judged.lost])


# --- JUnit ------------------------------------------------------------------------------------------------------------


def _junit(judged: Judged) -> str:
    """A case for each kind, so that what was looked for is seen also where nothing was found; one for losses."""
    kinds = [kind for kind in Kind if kind is not Kind.COVERAGE_GAP]
    by_kind = {kind: [one for one in judged.found if one.kind is kind] for kind in kinds}
    cases = [_case(kind.value, _failure(found) if found else "") for kind, found in by_kind.items()]
    cases.append(_case(_LOST, _error(judged.lost) if judged.lost else ""))
    failed = sum(map(bool, by_kind.values()))
    sums = f'tests="{len(cases)}" failures="{failed}" errors="{int(bool(judged.lost))}"'
    name = quoteattr(f"driftline baseline check, {judged.severity.value} and above")
    body = "".join(cases)
    suite = f'  <testsuite name={name} {sums} skipped="0" time="0">\n{body}  </testsuite>\n'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {sums} time="0">\n{suite}</testsuites>\n'


def _case(name: str, inside: str) -> str:
    start = f'    <testcase classname="driftline" name={quoteattr(name)} time="0"'
    return f"{start}>\n{inside}    </testcase>\n" if inside else f"{start}/>\n"


def _failure(found: list[Deviation]) -> str:
    worst = max(found, key=lambda one: one.severity.rank).severity.value
    return _told("failure", worst, f"{len(found)} found, the worst {worst}", found)


def _error(lost: list[Deviation]) -> str:
    return _told("error", "lost", "events were lost: not everything was judged", lost)


def _told(element: str, kind: str, message: str, told: list[Deviation]) -> str:
    lines = [f"{one.severity.value}: {escape(one.sentence)}" for one in told[:MAX_LINES]]
    lines += [f"and {len(told) - MAX_LINES} more"] if len(told) > MAX_LINES else []
    text = xml_text("\n".join(lines))
    return f"      <{element} type={quoteattr(kind)} message={quoteattr(message)}>{text}</{element}>\n"


# --- SARIF ------------------------------------------------------------------------------------------------------------


def _sarif(judged: Judged) -> str:
    kinds = sorted({one.kind for one in judged.found})
    driver = {"name": "driftline", "version": __version__, "rules": [_rule(kind) for kind in kinds]}
    run = {
        "tool": {"driver": driver},
        "results": [_result(one, kinds.index(one.kind), judged.files) for one in judged.found],
        "invocations": [{"executionSuccessful": not judged.lost, **_notifications(judged.lost)}],
        "columnKind": "utf16CodeUnits",
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(kind: Kind) -> dict[str, Any]:
    rule = RULES[kind]
    what = kind.value.replace(".", " ").replace("_", " ")
    tags = ["security", *([rule.technique] if rule.technique else [])]
    return {
        "id": kind.value,
        "shortDescription": {"text": f"Drift: {what}"},
        "defaultConfiguration": {"level": _level(rule.severity)},
        "properties": {"tags": tags, "security-severity": _score(rule.severity)},
    }


def _result(one: Deviation, rule: int, files: list[Path]) -> dict[str, Any]:
    place = {"fullyQualifiedName": escape(one.what), "kind": "resource"} if one.what else None
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(files[0])}, "region": {"startLine": 1}}
    }
    if place:
        location["logicalLocations"] = [place]
    return {
        "ruleId": one.kind.value,
        "ruleIndex": rule,
        "level": _level(one.severity),
        "message": {"text": escape(one.sentence)},
        "locations": [location],  # of the baseline it is not in: an image has no file in the repository
        "partialFingerprints": {"driftline/v1": _fingerprint(one)},
        "occurrenceCount": max(one.count, 1),
        "properties": {
            "severity": one.severity.value,
            "image": escape(one.subject.image),
            "container": escape(one.subject.name or one.subject.container_id),
            "exe": escape(one.exe),
            "technique": one.technique,
            "checks": list(one.checks),
            "notes": [escape(note) for note in one.notes],
            "time": wall_time(one.last_wall_ns),
        },
    }


def _notifications(lost: list[Deviation]) -> dict[str, Any]:
    told = [{"level": "error", "message": {"text": escape(one.sentence)}} for one in lost]
    return {"toolExecutionNotifications": told} if told else {}


def _fingerprint(one: Deviation) -> str:
    """The same for the same finding in the next run."""
    text = "\0".join((one.kind.value, one.subject.image.partition("@")[0], one.what, one.exe))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _level(severity: Severity) -> str:
    return _LEVELS.get(severity, "error")


def _score(severity: Severity) -> str:
    return _SCORES.get(severity, "9.5")


def _uri(path: Path) -> str:
    """A relative path stays so: the server takes it from the root of the repository."""
    name = quote(str(path).encode("utf-8", "surrogateescape"), safe="/")
    return f"file://{name}" if path.is_absolute() else name


_WRITERS: dict[Format, Callable[[Judged], str]] = {
    Format.TEXT: _text,
    Format.JSON: _json,
    Format.JUNIT: _junit,
    Format.SARIF: _sarif,
}
