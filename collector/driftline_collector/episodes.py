"""What is wrong with an agent, as deviations.

In: what the collector knows of an agent. Out: the deviation that says it, and the same one once it is over. Pure. Why
the id comes from the agent's session: every replica that finds the same agent silent makes the same deviation, and the
store keeps one. Next: ``sentinel`` stores them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

from driftline.nouns import Kind
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2

NS = 1_000_000_000
TECHNIQUE: Final = "T1562"  # Impair Defenses
RESOLVED: Final = "resolved"
"""How the note begins that ends an episode."""

REASONS = 16
"""Most notes that say why an agent is degraded."""


def silent(status: pb.AgentStatus, seconds: float) -> deviation_pb2.Deviation:
    """Return the ``agent.silent`` of an agent that was not heard for ``seconds``."""
    node = status.hello.node
    if status.stopped:
        severity = deviation_pb2.SEVERITY_LOW
        why = f"it stopped in order and did not come back for {duration(seconds)}"
    else:
        severity = deviation_pb2.SEVERITY_HIGH
        why = f"nothing was heard from it for {duration(seconds)}, and it did not say goodbye: nobody watches that node"
    since = status.last_seen_wall_ns
    told = _deviation(status, Kind.AGENT_SILENT, since, since + int(seconds * NS))
    told.id = _id(Kind.AGENT_SILENT, status.session, status.hello.node)
    told.severity = severity
    told.sentence = f"the agent of node {node} is silent: {why}"
    return told


def degraded(status: pb.AgentStatus, reasons: Sequence[str], now_wall_ns: int) -> deviation_pb2.Deviation:
    """Return the ``agent.degraded`` of an agent with ``reasons`` (escaped)."""
    told = _deviation(status, Kind.AGENT_DEGRADED, now_wall_ns, now_wall_ns)
    told.id = _id(Kind.AGENT_DEGRADED, status.session, status.hello.node, str(now_wall_ns))
    told.severity = deviation_pb2.SEVERITY_MEDIUM
    told.sentence = f"the agent of node {status.hello.node} does not see or keep all it should: {reasons[0]}"
    told.notes.extend(reasons[:REASONS])
    return told


def _deviation(status: pb.AgentStatus, kind: Kind, first_ns: int, last_ns: int) -> deviation_pb2.Deviation:
    return deviation_pb2.Deviation(
        kind=kind.value,
        technique=TECHNIQUE,
        what=f"agent of node {status.hello.node}",
        first_wall_ns=first_ns,
        last_wall_ns=last_ns,
        node=status.hello.node,
        count=1,
        subject=deviation_pb2.Subject(),
    )


def _id(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(parts)))


def changed(before: deviation_pb2.Deviation, reasons: Sequence[str], now_wall_ns: int) -> deviation_pb2.Deviation:
    """Return ``before`` with other reasons."""
    told = _again(before, now_wall_ns)
    del told.notes[:]
    told.notes.extend(reasons[:REASONS])
    return told


def resolved(before: deviation_pb2.Deviation, why: str, now_wall_ns: int) -> deviation_pb2.Deviation:
    """Return ``before`` as it is told when it is over, for the reason ``why`` (escaped)."""
    told = _again(before, now_wall_ns)
    told.notes.append(f"{RESOLVED}: {why}")
    return told


def _again(before: deviation_pb2.Deviation, now_wall_ns: int) -> deviation_pb2.Deviation:
    told = deviation_pb2.Deviation()
    told.CopyFrom(before)
    told.count += 1
    told.last_wall_ns = max(told.last_wall_ns, now_wall_ns)
    return told


def duration(seconds: float) -> str:
    """Return a length of time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
