"""Conversions lose nothing and let nothing unprintable through."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings

from driftline.errors import RecordError
from driftline.nouns import Deviation, ExecImage, File, Loss, Origin, Process, Severity, Subject
from driftline.wire.convert import deviation_from_wire, deviation_to_wire
from driftline.wire.gen.driftline.v1 import deviation_pb2 as pb
from unit.wire import samples


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(samples.deviations)
def test_any_deviation_survives_the_wire(deviation: Deviation) -> None:
    message = pb.Deviation.FromString(deviation_to_wire(deviation).SerializeToString())
    assert deviation_from_wire(message) == deviation


def test_hostile_text_is_printable_on_the_wire() -> None:
    message = deviation_to_wire(samples.deviation(what=samples.HOSTILE, argv=(samples.HOSTILE,)))
    assert message.what.isprintable()
    assert message.argv[0].isprintable()


@pytest.mark.parametrize(
    ("noun", "message"),
    [
        (Deviation, pb.Deviation),
        (Subject, pb.Subject),
        (Process, pb.Process),
        (File, pb.File),
        (ExecImage, pb.ExecImage),
        (Loss, pb.Loss),
    ],
)
def test_every_field_of_a_noun_has_one_on_the_wire(noun: type, message: type) -> None:
    """A field added to nouns.py and forgotten here would be lost without a word."""
    assert {field.name for field in fields(noun)} == set(message.DESCRIPTOR.fields_by_name)  # type: ignore[attr-defined]


@pytest.mark.parametrize("word", [Severity, Origin])
def test_every_word_has_a_number(word: type[Severity] | type[Origin]) -> None:
    assert len(set(getattr(pb, word.__name__).values())) == len(word) + 1


@pytest.mark.parametrize(
    "change", [{"kind": "exec.tomorrow"}, {"severity": 0}, {"severity": -1}, {"what": "\\q"}, {"node": "\\"}]
)
def test_what_cannot_be_read_is_a_record_error(change: dict[str, object]) -> None:
    message = deviation_to_wire(samples.deviation())
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(RecordError, match="cannot be read"):
        deviation_from_wire(message)


def test_number_too_large_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="out of range"):
        deviation_to_wire(samples.deviation(count=2**64))


def test_a_severity_of_a_newer_version_is_the_highest_we_know() -> None:
    message = deviation_to_wire(samples.deviation(severity=Severity.LOW))
    message.severity = 9  # type: ignore[assignment]
    assert deviation_from_wire(message).severity is Severity.CRITICAL


def test_an_origin_of_a_newer_version_is_unknown() -> None:
    message = deviation_to_wire(samples.deviation(file=File("/x", Origin.IMAGE, 1, 2, 3, 4, 5)))
    message.file.origin = 99  # type: ignore[assignment]
    read = deviation_from_wire(message)
    assert read.file is not None
    assert read.file.origin is Origin.UNKNOWN
