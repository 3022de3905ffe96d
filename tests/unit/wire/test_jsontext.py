"""JSON lines: complete, one line, printable."""

from __future__ import annotations

import json
from dataclasses import fields

from hypothesis import HealthCheck, given, settings

from driftline.nouns import Access, Deviation, RecordFlag, Subject
from driftline.text import unescape
from driftline.wire.jsontext import deviation_to_json, flag_names, wall_time
from unit.wire import samples


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(samples.deviations)
def test_any_deviation_is_one_printable_line_with_every_field(deviation: Deviation) -> None:
    line = deviation_to_json(deviation)
    assert line.isascii()
    assert line.isprintable()
    values = json.loads(line)
    assert set(values) == {field.name for field in fields(Deviation)} | {"time"}
    assert unescape(values["what"]) == deviation.what
    assert [unescape(argument) for argument in values["argv"]] == list(deviation.argv)


def test_labels_flags_and_parts_are_readable() -> None:
    subject = Subject(1, "/x", labels=(("app", "web"),))
    values = json.loads(
        deviation_to_json(samples.deviation(subject=subject, access=3, flags=4, last_wall_ns=1_000_000_001))
    )
    assert values["subject"]["labels"] == {"app": "web"}
    assert values["access"] == ["read", "write"]
    assert values["flags"] == ["entered"]
    assert values["loss"] is None
    assert values["time"] == "1970-01-01T00:00:01.000000001Z"


def test_bits_without_a_name_are_told_as_a_number() -> None:
    assert flag_names(Access.READ | 1 << 20, Access) == ["read", "0x100000"]
    assert flag_names(0, RecordFlag) == []


def test_time_outside_the_calendar_is_empty() -> None:
    assert wall_time(2**63 - 1).startswith("2262-04-11")
    assert wall_time(2**80) == ""
