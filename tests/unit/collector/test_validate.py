"""What the collector will not store."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.nouns import Kind, Severity
from driftline.wire.convert import deviation_to_wire
from driftline_collector.validate import fault
from unit.wire import samples


@given(st.sampled_from(Kind), st.sampled_from(Severity))
def test_every_kind_and_severity_is_fine(kind: Kind, severity: Severity) -> None:
    assert fault(deviation_to_wire(samples.deviation(kind=kind, severity=severity)), "node-a") == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ""}, "UUID"),
        ({"id": "0192F3A0-0000-7000-8000-000000000000"}, "UUID"),
        ({"id": "../../etc/passwd"}, "UUID"),
        ({"kind": ""}, "kind"),
        ({"kind": "exec.\x1b[2J"}, "kind"),
        ({"kind": "a" * 33}, "kind"),
        ({"severity": 0}, "severity"),
        ({"severity": 6}, "severity"),
        ({"node": "node-b"}, "another node"),
        ({"count": 0}, "out of range"),
        ({"first_wall_ns": -1}, "out of range"),
        ({"last_wall_ns": -1}, "out of range"),
        ({"sha256": "a\0b"}, "NUL"),
        ({"sentence": "x" * 2_000_000}, "too large"),
    ],
)
def test_faults(change: dict[str, Any], reason: str) -> None:
    message = deviation_to_wire(samples.deviation())
    for name, value in change.items():
        setattr(message, name, value)
    assert reason in fault(message, "node-a")


def test_a_kind_of_a_newer_agent_is_stored() -> None:
    message = deviation_to_wire(samples.deviation())
    message.kind = "memory.patched"
    assert fault(message, "node-a") == ""
