"""Deviations as OpenTelemetry log records.

In: stored deviations. Out: an OTLP export request. Each container is a resource; names of attributes are those of the
semantic conventions where they have one, else begin with ``driftline.``. Severity numbers are those the log data model
gives for syslog's levels. With format ``ocsf`` the body is the OCSF finding. Why the messages are made here and not by
the SDK's exporter: it keeps records in a memory queue and only says "failed", and at-least-once needs to know which
batch was taken, and whether to try again. Source: opentelemetry-proto 1.x, logs data model, appendix B. Next:
``otlpgrpc``, ``otlphttp``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs

from driftline import __version__
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector.outputs import facts
from driftline_collector.outputs.facts import Deviation
from driftline_collector.outputs.ocsf import detection_finding
from driftline_collector.outputs.sending import Taken, clean

BATCH_BYTES = 1024 * 1024
"""A quarter of the largest message that a gRPC receiver takes by default: attributes are longer than our own form."""

SCOPE = "driftline"

SEVERITIES = {"info": 9, "low": 10, "medium": 13, "high": 17, "critical": 18, "unknown": 13}
"""INFO, INFO2 (notice), WARN, ERROR, ERROR2 (critical)."""

_INT64 = 2**63


def export_request(batch: Sequence[pb.StoredDeviation], ocsf: bool) -> bytes:
    """Return one ExportLogsServiceRequest: a resource per container, records in the order of the batch."""
    now = time.time_ns()
    request = ExportLogsServiceRequest()
    resources: dict[bytes, ResourceLogs] = {}
    for item in batch:
        deviation = item.deviation
        key = deviation.node.encode() + b"\0" + deviation.subject.SerializeToString(deterministic=True)
        if (logs := resources.get(key)) is None:
            logs = resources[key] = request.resource_logs.add()
            logs.resource.attributes.extend(_pairs(_resource(deviation)))
            scope = logs.scope_logs.add().scope
            scope.name, scope.version = SCOPE, __version__
        logs.scope_logs[0].log_records.append(_record(item, now, ocsf))
    return request.SerializeToString()


def read_answer(answer: bytes) -> Taken:
    """Return what the receiver says it refused; OTLP forbids to send that again.

    Some receivers answer with a text: the status has said that the batch was taken.
    """
    try:
        partial = ExportLogsServiceResponse.FromString(answer).partial_success
    except DecodeError:
        return Taken()
    return Taken(max(0, partial.rejected_log_records), clean(partial.error_message[:300]))


def _record(item: pb.StoredDeviation, now: int, ocsf: bool) -> LogRecord:
    deviation, name = item.deviation, facts.severity(item.deviation)
    return LogRecord(
        time_unix_nano=max(0, deviation.last_wall_ns),
        observed_time_unix_nano=now,
        severity_number=SEVERITIES[name],  # type: ignore[arg-type]
        severity_text=name.upper(),
        event_name=f"driftline.{clean(deviation.kind)}",
        body=_any(detection_finding(item) if ocsf else clean(deviation.sentence)),
        attributes=_pairs({"log.record.uid": f"{clean(deviation.id)}/{item.revision}", **_attributes(deviation)}),
    )


def _resource(deviation: Deviation) -> dict[str, Any]:
    subject = deviation.subject
    image, tag = facts.image_parts(subject.image)
    values = {
        "service.name": "driftline",
        "host.name": deviation.node,
        "container.id": subject.container_id,
        "container.name": subject.name,
        "container.runtime": subject.engine,
        "container.image.name": image,
        "container.image.tags": [tag] if tag else [],
        "container.image.id": subject.image_digest,
        "k8s.namespace.name": subject.namespace,
        "k8s.pod.name": subject.pod,
        "k8s.container.name": subject.name if subject.pod else "",
        "driftline.workload": subject.workload,
        **{f"container.label.{label.key}": label.value for label in subject.labels},
    }
    return _cleaned(values)


def _attributes(deviation: Deviation) -> dict[str, Any]:
    return _cleaned(
        {
            "driftline.id": deviation.id,
            "driftline.kind": deviation.kind,
            "driftline.what": deviation.what,
            "driftline.count": deviation.count,
            "driftline.baseline": deviation.baseline,
            "driftline.learning": deviation.learning,
            "driftline.flags": facts.flags(deviation),
            "driftline.environment": list(deviation.environment),
            "driftline.checks": list(deviation.checks),
            "driftline.notes": list(deviation.notes),
            "security_rule.name": deviation.kind,
            "driftline.technique": deviation.technique,
            **_process(deviation),
            **_file(deviation),
            **_network(deviation),
            **_lost(deviation),
        }
    )


def _process(deviation: Deviation) -> dict[str, Any]:
    if not deviation.HasField("process"):
        return {}
    process = deviation.process
    return {
        "process.pid": process.pid,
        "process.parent_pid": process.ppid,
        "driftline.process.comm": process.comm,
        "process.executable.path": deviation.exe,
        "process.executable.name": facts.name_of(deviation.exe),
        "process.command_args": list(deviation.argv),
        "process.working_directory": deviation.cwd,
        "process.real_user.id": process.uid,
        "process.user.id": process.euid,
        "process.interactive": bool(deviation.tty),
        "driftline.ancestors": [image.path for image in deviation.ancestors],
    }


def _file(deviation: Deviation) -> dict[str, Any]:
    if not deviation.HasField("file"):
        return {}
    return {
        "file.path": deviation.file.path,
        "file.name": facts.name_of(deviation.file.path),
        "file.inode": str(deviation.file.inode),
        "file.mode": f"{deviation.file.mode & 0o7777:04o}",
        "file.size": deviation.file.size,
        "driftline.file.origin": facts.origin(deviation),
        "driftline.file.sha256": deviation.sha256,
    }


def _network(deviation: Deviation) -> dict[str, Any]:
    if not deviation.address:
        return {}
    return {
        "network.transport": deviation.protocol,
        "destination.address": deviation.address,
        "destination.port": deviation.port or None,
    }


def _lost(deviation: deviation_pb2.Deviation) -> dict[str, Any]:
    if not deviation.HasField("loss"):
        return {}
    return {"driftline.loss.hook": deviation.loss.hook, "driftline.loss.cause": deviation.loss.cause}


def _cleaned(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` without what is not known, every text printable."""
    found = {}
    for name, value in values.items():
        if isinstance(value, str):
            value = clean(value)
        elif isinstance(value, list):
            value = [clean(text) for text in value]
        if value not in ("", None, []):
            found[clean(name)] = value
    return found


def _pairs(values: Mapping[str, Any]) -> Iterator[KeyValue]:
    return (KeyValue(key=name, value=_any(value)) for name, value in values.items())


def _any(value: object) -> AnyValue:
    """Return ``value`` as OTLP's any value; a number beyond 64 bits as text."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value) if -_INT64 <= value < _INT64 else AnyValue(string_value=str(value))
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=map(_any, value)))
    return AnyValue(string_value=str(value))
