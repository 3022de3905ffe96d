"""Lines for a terminal: what a tired person needs, and nothing a container could use."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from rich.text import Text

from driftline.cli import render
from driftline.nouns import Deviation, ExecImage, File, Loss, Origin, Process, Severity, Subject
from unit.wire import samples

NOW = datetime(2026, 11, 23, 14, 0)
AT_13_30 = int(datetime(2026, 11, 23, 13, 30, 5).timestamp()) * 1_000_000_000 + 123_456_789


def test_a_line_says_when_how_bad_what_where() -> None:
    text = render.line(samples.deviation(last_wall_ns=AT_13_30, sentence="x ran"), NOW)
    assert text.plain == "13:30:05.123 HIGH     exec.drift             shop/web-0/web  x ran"


def test_folded_repeats_are_counted_and_an_update_tells_how_many_more() -> None:
    folded = samples.deviation(count=5, what="/tmp/x")
    assert render.line(folded, NOW).plain.endswith("  (x5)")
    assert render.update(folded, 4, NOW).plain.endswith("+4 more like this, 5 in all: /tmp/x")


def test_checks_are_shown_by_id_and_in_words() -> None:
    failed = samples.deviation(checks=("NL-07", "NL-99"))
    assert render.line(failed, NOW).plain.endswith("  [NL-07 NL-99]")
    details = render.details(failed).plain
    assert "check     NL-07 a tool of attackers\n" in details
    assert "check     NL-99 a check this version does not know\n" in details


def test_another_day_shows_its_date() -> None:
    assert render.local_time(AT_13_30, datetime(2026, 11, 24)) == "2026-11-23 13:30:05.123"
    assert render.local_time(2**80, NOW) == "????-??-??"


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (Subject(1, "/x", name="web", namespace="shop", pod="web-0"), "shop/web-0/web"),
        (Subject(1, "/x", name="web"), "web"),
        (Subject(1, "/x", container_id="0123456789abcdef"), "0123456789ab"),
        (Subject(1, "/docker/x"), "/docker/x"),
    ],
)
def test_where(subject: Subject, name: str) -> None:
    assert render.where(subject) == name


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_has_a_colour(severity: Severity) -> None:
    assert render.STYLES[severity]


@pytest.mark.parametrize("origin", Origin)
def test_every_origin_has_words(origin: Origin) -> None:
    file = File("/f", origin, 1, 2, 1, 0o100755, 3)
    assert f"/f, {render._ORIGINS[origin]}, 3 bytes" in render.details(samples.deviation(file=file)).plain


def test_details_show_the_tree_from_the_oldest() -> None:
    text = render.details(
        samples.deviation(
            process=Process(20, 20, 14, 1, 1, 1000, 0, 0, "x"),
            exe="/tmp/x",
            argv=("x", "-c", "a b"),
            ancestors=(
                ExecImage(2, 14, 1, "/bin/sh", ("sh",), 0, False),
                ExecImage(1, 12, 1, "/sbin/init", ("init",), 0, True),
            ),
            sha256_note="too large",
            loss=Loss("open", "ring_full", 7),
            notes=("baseline partial: attached late",),
        )
    ).plain
    assert (
        "    tree      /sbin/init  (pid 12, uid 0, came from outside)\n"
        "              └ /bin/sh  (pid 14, uid 0)\n"
        "                └ /tmp/x -c 'a b'  (pid 20, uid 1000, euid 0, x)\n"
    ) in text
    assert "none: too large" in text
    assert "7 (open ring_full)" in text
    assert text.endswith("note      baseline partial: attached late")


def _is_safe(text: Text) -> bool:
    return all(line.replace("\xa0", " ").isprintable() or _only_spaces(line) for line in text.plain.split("\n"))


def _only_spaces(line: str) -> bool:
    """Spaces of other scripts count as unprintable in Python; a terminal shows them as blanks."""
    return all(char.isprintable() or (char.isspace() and ord(char) > 0x9F) for char in line)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(samples.deviations)
def test_nothing_a_container_chose_reaches_the_terminal_raw(deviation: Deviation) -> None:
    lines = [render.line(deviation, NOW), render.update(deviation, 1, NOW)]
    assert all("\n" not in line.plain and _is_safe(line) for line in lines)
    assert _is_safe(render.details(deviation))


def test_counts_are_grouped_and_what_is_over_says_so() -> None:
    now = datetime.now()
    told = samples.deviation(count=12_432, notes=())
    assert "+12 431 more like this, 12 432 in all" in render.update(told, 12_431, now).plain
    assert render.resolved(told, now) is None
    over = samples.deviation(count=2, notes=("resolved: heard again after 5 min",))
    shown = render.resolved(over, now)
    assert shown is not None
    assert shown.plain.endswith("resolved: heard again after 5 min")
    assert "(resolved: heard again after 5 min)" in render.line(over, now).plain
    assert "(x2)" not in render.line(over, now).plain
