"""``driftline doctor``: what this host offers, which hooks follow from it, what is missing and how to get it.

In: settings. Out: lines for a person, or JSON; exit status 0: the agent can run here, 3: it cannot. Changes nothing,
needs no root (and says what it could not try without). Next: nobody.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from driftline.cli.examination import Examination, examine
from driftline.cli.options import with_settings
from driftline.errors import HostError
from driftline.text import escape

SETTINGS = (
    "state_dir",
    "watched_roots",
    "open_provider",
    "containerd_socket",
    "docker_socket",
    "podman_root",
    "crio_socket",
)
LABEL_WIDTH = 18


@with_settings(SETTINGS)
def command(settings: Any, json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Tell what this host offers the agent, what is missing, and how to get it."""
    found = examine(settings)
    if json:
        print(jsonlib.dumps(as_json(found), sort_keys=True))
    else:
        print("\n".join(map(escape, lines(found))))
    if not found.can_run:
        raise typer.Exit(HostError.exit_status)


def as_json(found: Examination) -> dict[str, Any]:
    """Plain values."""
    return {
        "can_run": found.can_run,
        "provider": found.provider,
        "reason": found.reason,
        "kernel": asdict(found.kernel) | {"missing_capabilities": found.kernel.missing_capabilities()},
        "bcc": found.bcc,
        "cgroup2": found.hierarchy.root if found.hierarchy else "",
        "watched_roots": list(found.watched),
        "engines": found.engines,
        "obstacles": [asdict(obstacle) for obstacle in found.obstacles],
        "agent": found.agent,
    }


def lines(found: Examination) -> Iterator[str]:
    """What a person reads."""
    for label, value in _facts(found):
        yield f"{label:{LABEL_WIDTH}}{value}"
    yield from _agent(found.agent)
    for obstacle in found.obstacles:
        yield f"{'missing' if obstacle.fatal else 'could be better'}: {obstacle.sentence}"
        yield f"  try: {obstacle.remedy}"
    if found.provider:
        yield f"opens are seen by {found.provider} ({found.reason})"
    yield "the agent can run here" if found.can_run else "the agent cannot run here"


def _facts(found: Examination) -> Iterator[tuple[str, str]]:
    kernel = found.kernel
    yield "kernel", f"{kernel.release} {kernel.machine}"
    yield "BTF", "yes" if kernel.btf else "no"
    for feature, why in kernel.features.items():
        yield feature.replace("_", " "), why or "yes"
    modules = kernel.security_modules
    yield "security modules", "cannot be told" if modules is None else ", ".join(modules) or "no bpf among them"
    yield "preemption", kernel.preemption or "cannot be told: debugfs is not mounted"
    yield "lockdown", kernel.lockdown or "cannot be told: securityfs is not mounted or not readable"
    yield "capabilities", "missing " + ", ".join(lacking) if (lacking := kernel.missing_capabilities()) else "enough"
    yield "memory lock", "unlimited" if kernel.memlock < 0 else f"{kernel.memlock} bytes"
    yield "libbpf", kernel.libbpf
    yield "bcc", found.bcc or "not found"
    yield "cgroup2", found.hierarchy.root if found.hierarchy else "not mounted"
    yield "watched roots", ", ".join(found.watched) or "none here yet"
    yield "engines", ", ".join(f"{name} ({place})" for name, place in found.engines.items()) or "none found"


def _agent(status: dict[str, Any]) -> Iterator[str]:
    if not status:
        yield f"{'agent':{LABEL_WIDTH}}none runs with this state directory"
        return
    yield f"{'agent':{LABEL_WIDTH}}pid {status.get('pid')}, armed {_when(status)}, opens by {status.get('provider')}"
    losses = status.get("losses")
    for cause, count in sorted(losses.items() if isinstance(losses, dict) else []):
        yield f"{'  lost':{LABEL_WIDTH}}{cause}: {count}"


def _when(status: dict[str, Any]) -> str:
    armed = status.get("armed_at")
    if not isinstance(armed, int | float):
        return "at an unknown time"
    return datetime.fromtimestamp(armed, UTC).isoformat(timespec="seconds")
