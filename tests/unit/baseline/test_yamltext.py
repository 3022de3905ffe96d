"""The YAML: lossless, readable, one line per behaviour, and careful with what people or attackers write."""

from __future__ import annotations

import json
import time
import unicodedata

import pytest
import yaml
from hypothesis import given

from driftline.baseline.format.jsontext import to_json
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.format.yamltext import from_yaml, to_yaml
from driftline.baseline.schema import Baseline
from unit.baseline.documents import baselines, full, small


@given(baselines)
def test_round_trip_loses_nothing(baseline: Baseline) -> None:
    assert from_yaml(to_yaml(baseline)) == baseline


@given(baselines)
def test_it_is_printable_and_no_name_makes_a_line(baseline: Baseline) -> None:
    text = to_yaml(baseline)
    unprintable = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    assert unprintable.isdisjoint(map(unicodedata.category, text.replace("\n", "")))
    assert len(text.splitlines()) == text.count("\n")
    assert sum(line.startswith("  - {") for line in text.splitlines()) == len(
        [*baseline.entries, *baseline.excuses, *baseline.reviews]
    )


@given(baselines)
def test_any_yaml_parser_reads_it(baseline: Baseline) -> None:
    assert yaml.load(to_yaml(baseline), Loader=yaml.CSafeLoader) == json.loads(to_json(baseline))


def test_it_reads_well() -> None:
    text = to_yaml(small())
    assert "# PARTIAL: attached late\n# PARTIAL: losses 3\n" in text
    assert (
        '  - {path: "/b\\\\xff", access: "read", source: "learned", first: "1970-01-01T00:00:00.000000005Z", '
        'last: "1970-01-01T00:00:06.000000001Z", count: 2, containers: [0]}\n' in text
    )


def test_what_a_person_writes_is_read_too() -> None:
    text = to_yaml(small())
    by_hand = text.replace(
        '  - {path: "/lib/x.so", source: "learned"', "  - {path: /lib/by hand.so, source: reviewed"
    ).replace("count: 2", "count:  7")
    behaviour = next(each for each in from_yaml(by_hand).entries if "by hand" in str(each))
    assert from_yaml(by_hand).entries[behaviour].source == "reviewed"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a mapping"),
        ("a: [", "not YAML"),
        ("a: &x 1\nb: *x", "line 1, column 4: anchors"),
        ("a: *x", "line 1, column 4: aliases"),
        ("a: !!python/object:os.system x", "anchors and tags"),
        ("a: 1\na: 2", "line 2, column 1: key 'a' twice"),
        ("? [a]\n: 1", "a key must be a word"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("[" * 9, "nested too deeply"),
        ("\x1b[2J", "not YAML"),
        ("format: driftline.baseline/1\nversion: 1", r"document\.version: not text"),
    ],
)
def test_what_is_no_baseline_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        from_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "- " * 200_000,
        "{a: " * 200_000,
        "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
        "\n".join(" " * depth + "a:" for depth in range(1_000)),
    ],
)
def test_bombs_cost_no_time(text: str) -> None:
    before = time.process_time()
    with pytest.raises(DocumentError):
        from_yaml(text)
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    "wrong", ["now", "2026-11-23T08:00:00Z", "2026-13-23T08:00:00.000000000Z", "1960-11-23T08:00:00.000000000Z"]
)
def test_a_wrong_time_is_named(wrong: str) -> None:
    text = to_yaml(small()).replace("1970-01-01T00:00:00.000000005Z", wrong, 1)
    with pytest.raises(DocumentError, match=r"exec\[0\]\.first"):
        from_yaml(text)


def test_a_malformed_escape_is_named() -> None:
    with pytest.raises(DocumentError, match=r"load\[0\]\.path: not text"):
        from_yaml(to_yaml(small()).replace("/lib/x.so", "/lib/\\\\q.so"))


def test_a_wrong_field_is_told_with_its_line() -> None:
    text = to_yaml(full()).replace("/lib/x.so", "/lib/../x.so").replace("losses: 3", "losses: many")
    lines = text.splitlines()
    line = next(number for number, each in enumerate(lines, 1) if each == "losses: many")
    with pytest.raises(DocumentError, match=rf"document\.losses: not a number from 0 to 2\^63-1 \(line {line}\)"):
        from_yaml(text)
    line = next(number for number, each in enumerate(lines, 1) if "/lib/../x.so" in each)
    with pytest.raises(DocumentError, match=rf"load\[0\]\.path: it goes up with .* \(line {line}\)"):
        from_yaml(text.replace("losses: many", "losses: 3"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [" + "1," * 1_000_000 + "1]", "a list of more than 100000"),
        ("a:\n" + "- 1\n" * 1_000_000, "line 100002, column 3: a list of more than 100000"),
        ("\n".join(f"k{number}: 1" for number in range(100_000)), "line 65, column 1: more than 64 keys"),
        ("format: " + "x" * 1_000_000, r"document\.format: 'x{59}…"),
    ],
)
def test_far_too_much_is_refused_where_it_begins(text: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        from_yaml(text)


def test_ports_patterns_and_decisions_read_well() -> None:
    text = to_yaml(full())
    for part in (
        'address: "10.0.3.0/24", port: "ephemeral", standing: "unconfirmed"',
        'path: "/srv/cache/{hex}/*.tmp"',
        'origin: "writable", standing: "needs-review", checks: ["NL-00", "NL-01"]',
        '  - {at: "1970-01-01T00:00:08.000000000Z", author: "ann", action: "promote"',
    ):
        assert part in text
