"""A deviation as an OCSF Detection Finding.

In: a stored deviation. Out: an object of class 2004 of the Open Cybersecurity Schema Framework, version 1.5.0, with the
profiles ``container`` and ``host``. What OCSF has no place for is in ``unmapped``. Why 1.5.0 and no newer: every field
used here is the same in later versions, and what reads OCSF today reads it. Source: schema.ocsf.io/1.5.0. The tests
validate every field against the published schema. Next: ``formats``, ``otlp``.
"""

from __future__ import annotations

import ipaddress
import re
import stat
from collections.abc import Mapping
from typing import Any

from driftline import __version__
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outputs import facts
from driftline_collector.outputs.facts import Deviation
from driftline_collector.outputs.sending import clean

VERSION = "1.5.0"

SEVERITY_IDS = {"unknown": 0, "info": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
SEVERITY_NAMES = ("Unknown", "Informational", "Low", "Medium", "High", "Critical")

_CREATE, _UPDATE = (1, "Create"), (2, "Update")
_PRODUCT = {"name": "Driftline", "vendor_name": "Driftline", "version": __version__}
_FILE_TYPES = {
    stat.S_IFREG: (1, "Regular File"),
    stat.S_IFDIR: (2, "Folder"),
    stat.S_IFCHR: (3, "Character Device"),
    stat.S_IFBLK: (4, "Block Device"),
    stat.S_IFSOCK: (5, "Local Socket"),
    stat.S_IFIFO: (6, "Named Pipe"),
    stat.S_IFLNK: (7, "Symbolic Link"),
}
_SHA256 = {"algorithm": "SHA-256", "algorithm_id": 3}
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_MS = 1_000_000  # nanoseconds in OCSF's unit of time


def detection_finding(item: pb.StoredDeviation) -> dict[str, Any]:
    """Return the finding. It is an *Update* once repeats were folded into it, else a *Create*."""
    deviation = item.deviation
    activity, activity_name = _UPDATE if deviation.count > 1 else _CREATE
    severity = SEVERITY_IDS[facts.severity(deviation)]
    return {
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200400 + activity,
        "type_name": f"Detection Finding: {activity_name}",
        "severity_id": severity,
        "severity": SEVERITY_NAMES[severity],
        "status_id": 1,
        "status": "New",
        "is_alert": True,
        "time": deviation.last_wall_ns // _MS,
        "start_time": deviation.first_wall_ns // _MS,
        "end_time": deviation.last_wall_ns // _MS,
        "count": max(1, deviation.count),
        "message": clean(deviation.sentence),
        "metadata": _metadata(item),
        "finding_info": _finding(deviation),
        "device": _filled({"name": clean(deviation.node), "type_id": 0, "type": "Unknown"}),
        **_filled({"evidences": _evidences(deviation), "resources": _resources(deviation)}),
        "unmapped": _filled(_unmapped(deviation)),
    }


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` without what is not known."""
    return {name: value for name, value in values.items() if value not in ("", None, [], {})}


def _metadata(item: pb.StoredDeviation) -> dict[str, Any]:
    return {
        "version": VERSION,
        "product": _PRODUCT,
        "profiles": ["container", "host"],
        "uid": f"{clean(item.deviation.id)}/{item.revision}",  # of this telling: a repetition has the same
        "sequence": item.revision,
        "event_code": clean(item.deviation.kind),
        "log_name": "driftline",
    }


def _finding(deviation: Deviation) -> dict[str, Any]:
    kind = clean(deviation.kind)
    analytic = {"name": kind, "uid": kind, "type_id": 2, "type": "Behavioral"}
    return _filled(
        {
            "uid": clean(deviation.id),
            "title": f"{kind}: {clean(deviation.what)}",
            "desc": clean(deviation.sentence),
            "types": [kind],
            "analytic": analytic,
            "attacks": _attacks(clean(deviation.technique)),
            "created_time": deviation.first_wall_ns // _MS,
            "first_seen_time": deviation.first_wall_ns // _MS,
            "last_seen_time": deviation.last_wall_ns // _MS,
        }
    )


def _attacks(technique: str) -> list[dict[str, Any]]:
    if not technique:
        return []
    above, dot, _ = technique.partition(".")
    return [{"technique": {"uid": above}, **({"sub_technique": {"uid": technique}} if dot else {})}]


def _evidences(deviation: Deviation) -> list[dict[str, Any]]:
    evidence = _filled(
        {
            "process": _process(deviation),
            "file": _file(deviation),
            "dst_endpoint": _endpoint(deviation),
            "connection_info": _connection(deviation),
            "container": _container(deviation),
        }
    )
    return [evidence] if evidence.keys() & {"process", "file", "dst_endpoint", "connection_info"} else []


def _process(deviation: Deviation) -> dict[str, Any]:
    process = deviation.process
    if not process.pid:
        return {}
    parent = {"pid": process.ppid, "path": facts.parent(deviation)} if process.ppid else {}
    return _filled(
        {
            "pid": process.pid,
            "tid": process.tid,
            "name": clean(process.comm),
            "path": clean(deviation.exe),
            "cmd_line": facts.command_line(deviation),
            "working_directory": clean(deviation.cwd),
            "user": {"uid": str(process.uid)},
            "file": {"name": clean(facts.name_of(deviation.exe)), "path": clean(deviation.exe), "type_id": 1}
            if deviation.exe
            else {},
            "container": _container(deviation),
            "parent_process": _filled(parent),
            "lineage": [clean(image.path) for image in reversed(deviation.ancestors)],
        }
    )


def _file(deviation: Deviation) -> dict[str, Any]:
    if not deviation.file.path:
        return {}
    file = deviation.file
    type_id, type_name = _FILE_TYPES.get(stat.S_IFMT(file.mode), (0, "Unknown"))
    hashes = [{**_SHA256, "value": deviation.sha256}] if _HEX.fullmatch(deviation.sha256) else []
    return _filled(
        {
            "name": clean(facts.name_of(file.path)),
            "path": clean(file.path),
            "type_id": type_id,
            "type": type_name,
            "size": file.size if file.size < 2**63 else None,
            "hashes": hashes,
        }
    )


def _endpoint(deviation: Deviation) -> dict[str, Any]:
    address = clean(deviation.address)
    if not address:
        return {}
    try:
        ipaddress.ip_address(address)
    except ValueError:  # a Unix socket
        return {"name": address}
    return {"ip": address, **_filled({"port": deviation.port if deviation.port < 65536 else None})}


def _connection(deviation: Deviation) -> dict[str, Any]:
    if not deviation.address:
        return {}
    return _filled({"direction_id": 2, "direction": "Outbound", "protocol_name": clean(deviation.protocol)})


def _container(deviation: Deviation) -> dict[str, Any]:
    subject = deviation.subject
    if not (subject.container_id or subject.name):
        return {}
    image, tag = facts.image_parts(subject.image)
    uid = clean(subject.image_digest or subject.image)
    return _filled(
        {
            "uid": clean(subject.container_id),
            "name": clean(subject.name),
            "runtime": clean(subject.engine),
            "orchestrator": "Kubernetes" if subject.pod else "",
            "image": _filled({"uid": uid, "name": clean(image), "tag": clean(tag)}) if uid else {},
        }
    )


def _resources(deviation: Deviation) -> list[dict[str, Any]]:
    subject = deviation.subject
    resource = _filled({"uid": clean(subject.container_id), "name": clean(subject.pod or subject.name)})
    if not resource:
        return []
    kind = "Kubernetes pod" if subject.pod else "container"
    return [{**resource, "type": kind, **_filled({"namespace": clean(subject.namespace)})}]


def _unmapped(deviation: Deviation) -> dict[str, Any]:
    return {
        "baseline": clean(deviation.baseline),
        "learning": deviation.learning,
        "checks": [clean(check) for check in deviation.checks],
        "origin": facts.origin(deviation),
        "flags": facts.flags(deviation),
        "environment": [clean(name) for name in deviation.environment],
        "notes": [clean(note) for note in deviation.notes],
        "tty": clean(deviation.tty),
        "effective_user": str(deviation.process.euid) if deviation.HasField("process") else "",
        "workload": clean(deviation.subject.workload),
        "labels": {clean(label.key): clean(label.value) for label in deviation.subject.labels},
        "lost": {
            "hook": clean(deviation.loss.hook),
            "cause": clean(deviation.loss.cause),
            "count": deviation.loss.count,
        }
        if deviation.HasField("loss")
        else {},
    }
