"""What an agent may send.

In: a deviation and the node that sent it. Out: "" or the reason it will never be stored; what a newer agent says in the
words of this version. Why: one malformed deviation
must neither fail the whole batch for ever nor reach a reader; an agent speaks for its own node only. Next: ``ingest``.
"""

from __future__ import annotations

import re

from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline.wire.service import DEVIATION_BYTES

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # RFC 9562, section 4
_KIND = re.compile(r"[a-z_]{1,32}(\.[a-z_]{1,32}){0,3}")  # known kinds and those of newer agents
_SEVERITIES = frozenset(deviation_pb2.Severity.values()) - {deviation_pb2.SEVERITY_UNSPECIFIED}


def understand(deviation: deviation_pb2.Deviation) -> None:
    """Take a severity above all we know, of a newer agent, for the highest we know, and say so in the notes."""
    if deviation.severity > max(_SEVERITIES):
        deviation.notes.append(f"severity {deviation.severity} is newer than this collector")
        deviation.severity = deviation_pb2.SEVERITY_CRITICAL


def fault(deviation: deviation_pb2.Deviation, node: str) -> str:
    """Return what is wrong with ``deviation`` from ``node``, "" if nothing is."""
    if not _ID.fullmatch(deviation.id):
        return "id is not a UUID"
    if not _KIND.fullmatch(deviation.kind):
        return "kind is not a dotted lower-case name"
    if deviation.severity not in _SEVERITIES:
        return "unknown severity"
    if deviation.node != node:
        return "it is another node's"
    if deviation.count < 1 or min(deviation.first_wall_ns, deviation.last_wall_ns, deviation.last_kernel_ns) < 0:
        return "count or time out of range"
    if "\0" in deviation.node or "\0" in deviation.subject.namespace or "\0" in deviation.sha256:
        return "a text holds a NUL character"  # PostgreSQL would refuse it, and all that is stored together with it
    if deviation.ByteSize() > DEVIATION_BYTES:
        return "too large"
    return ""
