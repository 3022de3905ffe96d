"""A deviation as Falco's JSON, as its http_output sends it and falcosidekick takes it.

In: a deviation. Out: ``output``, ``priority``, ``rule``, ``time``, ``output_fields``, ``hostname``, ``source`` and
``tags``.
Why fields that are empty are left out: falcosidekick takes ``k8s.ns.name`` and ``k8s.pod.name`` for strings without
looking, and anything else there makes it panic. Source of the form: types.FalcoPayload and its Check in falcosidekick;
the names of the fields: falco.org, "Supported Fields for Conditions and Outputs". Next: ``formats``.
"""

from __future__ import annotations

from typing import Any

from driftline.wire.jsontext import wall_time
from driftline_collector.outputs import facts
from driftline_collector.outputs.facts import Deviation
from driftline_collector.outputs.falco_rules import falco_rule
from driftline_collector.outputs.sending import clean

PRIORITIES = {
    "critical": "Critical",
    "high": "Error",
    "medium": "Warning",
    "low": "Notice",
    "info": "Informational",
    "unknown": "Warning",
}
"""Falco's priority for each of our severities."""

CONTAINER_ID = 12
"""Characters of a container's id in Falco's ``container.id``."""


def falco_event(deviation: Deviation) -> dict[str, Any]:
    """Return the event; it has at least one output field, the rule is never empty."""
    return {
        "uuid": clean(deviation.id),
        "output": clean(deviation.sentence),
        "priority": PRIORITIES[facts.severity(deviation)],
        "rule": falco_rule(deviation),
        "time": wall_time(deviation.last_wall_ns),
        "source": "internal" if deviation.HasField("loss") else "syscall",
        "output_fields": {name: value for name, value in _fields(deviation).items() if value not in ("", 0)},
        "hostname": clean(deviation.node),
        "tags": [
            tag
            for tag in ("driftline", clean(deviation.kind), clean(deviation.technique), *map(clean, deviation.checks))
            if tag
        ],
    }


def _fields(deviation: Deviation) -> dict[str, str | int]:
    return {
        "evt.time": deviation.last_wall_ns,
        **_container(deviation),
        **_process(deviation),
        **_object(deviation),
        "driftline.id": clean(deviation.id),
        "driftline.kind": clean(deviation.kind),
        "driftline.severity": facts.severity(deviation),
        "driftline.technique": clean(deviation.technique),
        "driftline.count": deviation.count,
        "driftline.what": clean(deviation.what),
        "driftline.checks": clean(" ".join(deviation.checks)),
        "driftline.baseline": clean(deviation.baseline),
        "driftline.sha256": clean(deviation.sha256),
        "driftline.notes": clean("; ".join(deviation.notes)),
    }


def _container(deviation: Deviation) -> dict[str, str | int]:
    subject = deviation.subject
    repository, tag = facts.image_parts(subject.image)
    return {
        "container.id": clean(subject.container_id[:CONTAINER_ID]),
        "container.name": clean(subject.name),
        "container.image.repository": clean(repository),
        "container.image.tag": clean(tag),
        "container.image.digest": clean(subject.image_digest),
        "k8s.ns.name": clean(subject.namespace),
        "k8s.pod.name": clean(subject.pod),
    }


def _process(deviation: Deviation) -> dict[str, str | int]:
    if not deviation.HasField("process"):
        return {}
    process = deviation.process
    return {
        "proc.name": clean(process.comm),
        "proc.exepath": clean(deviation.exe),
        "proc.cmdline": facts.command_line(deviation),
        "proc.cwd": clean(deviation.cwd),
        "proc.pid": process.pid,
        "proc.ppid": process.ppid,
        "proc.pname": facts.name_of(facts.parent(deviation)),
        "proc.pexepath": facts.parent(deviation),
        "proc.tty": clean(deviation.tty),
        "user.uid": str(process.uid),  # a text: 0 is root, and must not be left out
    }


def _object(deviation: Deviation) -> dict[str, str | int]:
    if deviation.address:
        return {
            "fd.name": clean(deviation.what),
            "fd.l4proto": clean(deviation.protocol),
            "fd.sip": clean(deviation.address) if deviation.port else "",
            "fd.sport": deviation.port,
        }
    return {"fd.name": clean(deviation.file.path)} if deviation.HasField("file") else {}
