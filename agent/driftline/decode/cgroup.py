"""Container life: bpf/cgroup.bpf.c → CgroupEvent.

In: record bytes. Out: events. Next: identify.
"""

from __future__ import annotations

from driftline.decode.header import Head
from driftline.decode.path import text
from driftline.errors import RecordError
from driftline.nouns import CgroupChange, CgroupEvent
from driftline.probe.layout import CGROUP, CGROUP_BYTES, HEADER

CREATED = 5


def decode_cgroup(record: bytes, head: Head) -> CgroupEvent:
    """A watched cgroup appeared or went away."""
    if len(record) < CGROUP_BYTES:
        raise RecordError(f"a cgroup record of {len(record)} bytes, at least {CGROUP_BYTES} expected")
    parent, path_bytes = CGROUP.unpack_from(record, HEADER.size)
    change = CgroupChange.CREATED if head[1] == CREATED else CgroupChange.REMOVED
    path = text(record[CGROUP_BYTES : CGROUP_BYTES + path_bytes])
    return CgroupEvent(head[4], head[5], parent, head[6], change, path)
