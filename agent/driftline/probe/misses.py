"""Runs of our programs that the kernel skipped.

In: program descriptors. Out: losses per hook. Why: LSM and fentry programs can be preempted, and the kernel does not
start one that it preempted on the same CPU; only its own counter, ``recursion_misses`` of struct bpf_prog_info
(include/uapi/linux/bpf.h, Linux 5.12), tells. Next: ``sensor``, beside the counters of the programs themselves.
"""

from __future__ import annotations

import ctypes as c
import struct

from driftline.probe.libbpf import LIB

CAUSE = "recursion"
INFO_BYTES = 216  # struct bpf_prog_info up to and with recursion_misses
MISSES = struct.Struct("<Q")
MISSES_OFFSET = INFO_BYTES - MISSES.size
# Part of a program's name → hook; the first that fits
_HOOKS = {
    "process_exec": "exec",
    "iter_task": "exec",
    "process": "fork",
    "cgroup": "cgroup",
    "unix": "unix_connect",
    "connect": "connect",
    "sendmsg": "connect",
    "mmap": "load",
    "dns": "dns",
}


def hook_of(program: str) -> str:
    """The hook a program belongs to, as ``counters`` names it. Whatever has no name of its own sees opens."""
    return next((hook for part, hook in _HOOKS.items() if part in program), "open")


def misses(programs: dict[str, int]) -> dict[tuple[str, str], int]:
    """(hook, "recursion") → runs skipped since the programs were loaded; zeros left out."""
    found: dict[tuple[str, str], int] = {}
    for name, descriptor in programs.items():
        if skipped := _skipped(descriptor):
            key = hook_of(name), CAUSE
            found[key] = found.get(key, 0) + skipped
    return found


def _skipped(descriptor: int) -> int:
    """0 where the kernel does not count them (before 5.12): it then skips none."""
    info, length = c.create_string_buffer(INFO_BYTES), c.c_uint32(INFO_BYTES)
    if LIB.bpf_obj_get_info_by_fd(descriptor, info, c.byref(length)) < 0:
        return 0
    return int(MISSES.unpack_from(info, MISSES_OFFSET)[0])
