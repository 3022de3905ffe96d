"""The JSON: lossless, as baselines/schema.json says, and careful with what others write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from driftline.baseline.format.jsontext import from_json, to_json
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.format.schemafile import schema_text
from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.schema import Baseline
from unit.baseline.documents import baselines, full, small

PUBLISHED = Path(__file__).resolve().parents[3] / "baselines/schema.json"
SCHEMA = jsonschema.Draft202012Validator(json.loads(schema_text()))


@given(baselines)
def test_round_trip_loses_nothing(baseline: Baseline) -> None:
    assert from_json(to_json(baseline)) == baseline


@given(baselines)
def test_what_is_written_is_as_the_schema_says(baseline: Baseline) -> None:
    SCHEMA.validate(json.loads(to_json(baseline)))


def test_the_published_schema_is_sound_and_current() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(PUBLISHED.read_text()))
    assert PUBLISHED.read_text() == schema_text(), "run .venv/bin/python docs/generate.py"


def _set(*steps: Any) -> Callable[[Any], None]:
    *place, last, value = steps

    def change(values: Any) -> None:
        for step in place:
            values = values[step]
        values[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("format", "driftline.baseline/9"),
        _set("state", "approved"),
        _set("losses", -1),
        _set("losses", 1.5),
        _set("partial", ["x"] * 17),
        _set("packages", "libz"),
        _set("extra", 1),
        lambda values: values.pop("key"),
        lambda values: values["exec"][0].pop("by"),
        _set("exec", 0, "entered", "no"),
        _set("exec", 1, "origin", "image"),
        _set("exec", 0, "extra", 1),
        _set("exec", 0, "count", True),
        _set("open", 0, "access", "execute"),
        _set("open", 0, "path", "/\x1b[2J"),
        _set("open", 0, "path", "/\\q"),
        _set("open", 0, "path", "/var/../etc/shadow"),
        _set("open", 0, "path", "../etc/shadow"),
        _set("open", 0, "path", ".."),
        _set("load", 0, "path", "/.."),
        _set("open", 0, "standing", "fine"),
        _set("open", 0, "source", "heard"),
        _set("open", 0, "first", "2026-11-23"),
        _set("open", 0, "first", None),
        _set("open", 0, "containers", [-1]),
        _set("open", 0, "checks", ["NL"] * 9),
        _set("connect", 0, "port", 65_536),
        _set("connect", 0, "port", "high"),
        _set("connect", 0, "port", -1),
        _set("excuses", 0, "expires", 0),
        _set("excuses", 0, "check", 8),
        _set("reviews", 0, {}),
    ],
)
def test_schema_and_reader_refuse_the_same(change: Callable[[Any], None]) -> None:
    values = json.loads(to_json(full()))
    SCHEMA.validate(values)
    change(values)
    assert not SCHEMA.is_valid(values)
    with pytest.raises(DocumentError):
        from_json(json.dumps(values))


@pytest.mark.parametrize(
    ("section", "field", "value", "complaint"),
    [
        ("open", "path", "/**", r"open\[0\]\.path: a wildcard in its first segment"),
        ("open", "path", "/etc/**", r"open\[0\]\.path: it would match everything in /etc"),
        ("open", "path", "/srv/{n}", r"open\[0\]\.path: '\{n\}' at offset 5"),
        ("open", "path", "/srv/../etc", r"open\[0\]\.path: it goes up with \.\."),
        ("exec", "path", "/bin/../x", r"exec\[0\]\.path: it goes up with \.\."),
        ("open", "path", "/x\n", r"open\[0\]\.path: not text \(it holds characters that cannot be printed"),
        ("open", "path", "/x\u202e", r"open\[0\]\.path: not text"),
        ("open", "path", "/a" * 20_000, r"open\[0\]\.path: 40000 characters"),
        ("connect", "address", "0.0.0.0/0", r"connect\[0\]\.address: it would match every address"),
        ("connect", "address", "10.0.0.1/8", r"connect\[0\]\.address: bits set after the first 8"),
        ("connect", "port", 70_000, r"connect\[0\]\.port: 70000 is no port"),
        ("exec", "count", 2**63, r"exec\[0\]\.count"),
    ],
)
def test_tricks_are_refused_with_their_place(section: str, field: str, value: object, complaint: str) -> None:
    values = json.loads(to_json(small()))
    values[section][0][field] = value
    with pytest.raises(DocumentError, match=complaint):
        from_json(json.dumps(values))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("[]", "document: not a mapping"),
        ("nul", "not JSON"),
        ('{"format": NaN}', "NaN"),
        ('{"format": -Infinity}', "whole numbers"),
        ('{"format": 1e9}', "whole numbers"),
        ('{"a": 1, "a": 2}', "key 'a' twice"),
        ('{"format": ' + "9" * 5_000 + "}", "not JSON"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ("[" + "{}," * 1_000_001 + "{}]", "more lists"),
        ("[" + "0," * 3_000_001 + "0]", "more lists"),
        ('{"format": "driftline.baseline/1"}', r"document\.version: missing"),
    ],
)
def test_what_is_no_baseline_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        from_json(text)


def test_a_list_far_too_long_is_refused() -> None:
    values = json.loads(to_json(small()))
    values["open"] = [0] * 1_000_000
    with pytest.raises(DocumentError, match=r"document\.open: a list of 1000000, at most 100000"):
        from_json(json.dumps(values))


def test_text_and_ports_are_written_as_in_the_yaml() -> None:
    text, yaml = to_json(full()), to_yaml(full())
    for part in ('"port": "ephemeral"', '"path": "/b\\\\xff"', '"first": "1970-01-01T00:00:00.000000005Z"'):
        assert part in text
        assert part.replace('"', "", 2) in yaml
