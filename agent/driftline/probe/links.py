"""Whether what was attached still is.

In: our links. Out: the names of those somebody detached. Why only cgroup links: root can detach them behind our back
(BPF_LINK_DETACH, ``bpftool link detach``); tracing, LSM and raw tracepoint links know no such command, and end with
their descriptor. Source: ``struct bpf_link_info`` in linux/bpf.h; a detached one has no cgroup any more
(``bpf_cgroup_link_fill_link_info`` in kernel/bpf/cgroup.c). Next: ``sensor``.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterable

from driftline.probe.libbpf import LIB

_CGROUP_LINK = 3  # BPF_LINK_TYPE_CGROUP


class _LinkInfo(c.Structure):
    """The beginning of struct bpf_link_info, with the part for cgroups."""

    _fields_ = (
        ("type", c.c_uint32),
        ("id", c.c_uint32),
        ("prog_id", c.c_uint32),
        ("pad", c.c_uint32),
        ("cgroup_id", c.c_uint64),
        ("attach_type", c.c_uint32),
        ("pad2", c.c_uint32),
    )


def detached(links: Iterable[tuple[str, int]]) -> list[str]:
    """Return the names of the programs whose link is attached to nothing."""
    return [name for name, descriptor in links if _is_detached(descriptor)]


def _is_detached(descriptor: int) -> bool:
    info = _LinkInfo()
    size = c.c_uint32(c.sizeof(info))
    if LIB.bpf_obj_get_info_by_fd(descriptor, c.byref(info), c.byref(size)) < 0:
        return False  # the kernel does not tell: no reason to cry
    return bool(info.type == _CGROUP_LINK and info.cgroup_id == 0)
