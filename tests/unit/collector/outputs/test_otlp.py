"""OTLP: whatever is in a deviation becomes a request that any protobuf reader can read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from driftline.nouns import Severity
from driftline_collector.outputs.otlp import export_request
from unit.collector.outputs import things
from unit.wire import samples


def texts(message: Any) -> list[str]:
    """Every text in a protobuf message."""
    found = []
    for _field, value in message.ListFields():
        for one in value if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else [value]:
            if isinstance(one, str):
                found.append(one)
            elif hasattr(one, "ListFields"):
                found += texts(one)
    return found


@given(st.lists(samples.deviations, max_size=4), st.booleans())
def test_any_deviations_make_a_request(deviations: list[Any], ocsf: bool) -> None:
    batch = [things.wired(deviation, number) for number, deviation in enumerate(deviations, 1)]
    request = ExportLogsServiceRequest.FromString(export_request(batch, ocsf))
    records = [one for logs in request.resource_logs for scope in logs.scope_logs for one in scope.log_records]
    assert len(records) == len(batch)
    assert all(text.isprintable() for text in texts(request))


@pytest.mark.parametrize(("severity", "number"), [*zip(Severity, (9, 10, 13, 17, 18), strict=True)])
def test_severity_numbers_are_those_of_syslogs_levels(severity: Severity, number: int) -> None:
    """Logs data model, appendix B: informational, notice, warning, error, critical."""
    request = export_request([things.stored(severity=severity)], False)
    (logs,) = ExportLogsServiceRequest.FromString(request).resource_logs
    assert logs.scope_logs[0].log_records[0].severity_number == number
