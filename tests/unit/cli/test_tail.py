"""What ``driftline tail`` prints for what it is sent, and how it reads its options."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from driftline.cli import tail
from driftline.errors import SettingsError
from driftline.nouns import Deviation, Severity
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from unit.wire.samples import HOSTILE, deviation

NOW_NS = 1_000_000 * 1_000_000_000


def response(*deviations: Deviation) -> pb.TailResponse:
    stored = (pb.StoredDeviation(revision=1, deviation=deviation_to_wire(item)) for item in deviations)
    return pb.TailResponse(deviations=stored)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 604800), ("1w", 604800)]
)
def test_an_age(text: str, seconds: int) -> None:
    assert tail.moment(text, NOW_NS) == NOW_NS - seconds * 1_000_000_000


def test_an_age_before_1970_is_the_beginning() -> None:
    assert tail.moment("999999999w", NOW_NS) == 0


@pytest.mark.parametrize("text", ["2026-11-23T14:00", "2026-11-23 14:00", "2026-11-23T14:00:00.5+01:00"])
def test_a_time(text: str) -> None:
    assert tail.moment(text, NOW_NS) == int(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000


@pytest.mark.parametrize("text", ["yesterday", "1", "h", "-1h", "1.5h", "\u0661h"])
def test_no_time(text: str) -> None:
    with pytest.raises(SettingsError, match="is no time"):
        tail.moment(text, NOW_NS)


@pytest.mark.parametrize("text", ["exec.drift", "exec", "file.write", "coverage.gap"])
def test_known_kinds_and_their_beginnings(text: str) -> None:
    assert tail.known_kind(text) == text


@pytest.mark.parametrize("text", ["", "exe", "exec.", "drift", "exec.drift.more"])
def test_unknown_kinds(text: str) -> None:
    with pytest.raises(SettingsError, match="no kind"):
        tail.known_kind(text)


def test_hostile_names_are_printed_harmlessly(capsys: pytest.CaptureFixture[str]) -> None:
    printer = tail.Printer(json=False, verbose=True)
    printer.show(
        response(deviation(sentence=HOSTILE, what=HOSTILE, exe=HOSTILE, argv=("a", HOSTILE), notes=(HOSTILE,)))
    )
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.splitlines())
    assert r"/tmp/\x1b[2J\u{202e}[bold red]\xff\\x41\x0a" in out.splitlines()[0]


def test_a_long_line_is_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    tail.Printer(json=False, verbose=False).show(response(deviation(sentence="word " * 500)))
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_repeats_of_a_shown_deviation_are_one_short_line_and_an_old_state_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printer = tail.Printer(json=False, verbose=False)
    for count in (1, 4, 4, 2, 9):
        printer.show(response(deviation(id="a", count=count)))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "+3 more like this, 4 in all" in lines[1]
    assert "+5 more like this, 9 in all" in lines[2]


def test_the_same_id_of_two_nodes_is_two_deviations(capsys: pytest.CaptureFixture[str]) -> None:
    printer = tail.Printer(json=False, verbose=False)
    printer.show(response(deviation(id="a", node="n1"), deviation(id="a", node="n2")))
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(tail, "REMEMBERED", 2)
    printer = tail.Printer(json=False, verbose=False)
    for name in ("a", "b", "c"):
        printer.show(response(deviation(id=name)))
    printer.show(response(deviation(id="a", count=2)))
    assert "more like this" not in capsys.readouterr().out
    assert len(printer._shown) == 2


def test_json_is_one_object_per_change(capsys: pytest.CaptureFixture[str]) -> None:
    printer = tail.Printer(json=True, verbose=False)
    printer.show(response(deviation(id="a", what=HOSTILE)))
    printer.show(response(deviation(id="a", count=2)))
    assert [json.loads(line)["count"] for line in capsys.readouterr().out.splitlines()] == [1, 2]


def test_one_that_cannot_be_read_does_not_hide_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    message = response(deviation(), deviation(what="/tmp/after"))
    message.deviations[0].deviation.what = "\\broken\x1b[2J"
    tail.Printer(json=True, verbose=False).show(message)
    captured = capsys.readouterr()
    assert json.loads(captured.out)["what"] == "/tmp/after"
    assert "cannot be read" in captured.err
    assert "\x1b" not in captured.err


def test_missed_ones_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    tail.Printer(json=False, verbose=False).show(pb.TailResponse(missed=7))
    assert "7 deviations missed" in capsys.readouterr().err


@pytest.mark.parametrize(("variable", "coloured"), [("FORCE_COLOR", True), ("NO_COLOR", False)])
def test_colours_only_where_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, coloured: bool
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(variable, "1")
    tail.Printer(json=False, verbose=True).show(response(deviation(severity=Severity.HIGH, sentence="ran x")))
    out = capsys.readouterr().out
    assert ("\x1b[1;31mHIGH    \x1b[0m" in out) is coloured
    assert ("\x1b" in out) is coloured
    assert "shop/web-0/web" in out
    assert "ran x\n" in out


def test_a_digest_found_out_later_is_shown_once_and_only_with_details(capsys: pytest.CaptureFixture[str]) -> None:
    digest = "ab" * 32
    for verbose, shown in ((True, 1), (False, 0)):
        printer = tail.Printer(False, verbose)
        printer.show(response(deviation(id="a", sha256="")))
        printer.show(response(deviation(id="a", sha256=digest)))
        printer.show(response(deviation(id="a", sha256=digest)))
        assert capsys.readouterr().out.count(digest) == shown
