"""Container life: bpf/cgroup.bpf.c → CgroupEvent, bpf/left.bpf.c → LeftEvent.

In: record bytes. Out: events. Next: identify.
"""

from __future__ import annotations

from driftline.decode.header import Head, process_of
from driftline.decode.path import text
from driftline.errors import RecordError
from driftline.nouns import CgroupChange, CgroupEvent, LeftEvent
from driftline.probe.layout import CGROUP, CGROUP_BYTES, HEADER

CREATED = 5


def _parts(record: bytes) -> tuple[int, str]:
    """(parent, path) of a cgroup record."""
    if len(record) < CGROUP_BYTES:
        raise RecordError(f"a cgroup record of {len(record)} bytes, at least {CGROUP_BYTES} expected")
    parent, path_bytes = CGROUP.unpack_from(record, HEADER.size)
    if len(record) < CGROUP_BYTES + path_bytes:
        raise RecordError(f"a cgroup record of {len(record)} bytes, its path needs {CGROUP_BYTES + path_bytes}")
    return parent, text(record[CGROUP_BYTES : CGROUP_BYTES + path_bytes])


def decode_cgroup(record: bytes, head: Head) -> CgroupEvent:
    """A watched cgroup appeared or went away."""
    parent, path = _parts(record)
    change = CgroupChange.CREATED if head[1] == CREATED else CgroupChange.REMOVED
    return CgroupEvent(head[4], head[5], parent, head[6], change, path)


def decode_left(record: bytes, head: Head) -> LeftEvent:
    """A process was moved out of its container's cgroup."""
    _parent, path = _parts(record)
    return LeftEvent(head[4], head[6], process_of(head), head[3], head[15], b"", b"", path)
