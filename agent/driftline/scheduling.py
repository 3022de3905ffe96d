"""Being run soon, for short work that somebody waits for.

In: nothing. Out: this thread and those it starts later ask the scheduler for short slices. Why: the process that
an event tells of keeps its processor until its slice ends, and the agent waits behind it for most of a millisecond.
A short slice is no priority: the share of the processor stays the same, it only comes earlier and in smaller pieces
(Documentation/scheduler/sched-eevdf.rst, since Linux 6.12; older kernels take the call and change nothing). Next: the
agent and the collector call it when they start.
"""

from __future__ import annotations

import ctypes
import os
import struct

SHORT_NS = 600_000  # an event's way through a process takes less; shorter than any default (0.7 to 2.8 ms)
LONG_NS = 10_000_000  # longer than any default: whoever else wakes up is served first
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # system call numbers; glibc has no function for it before 2.41
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # struct sched_attr, version 0: size policy flags nice priority runtime …


def prefer_short_slices() -> bool:
    """Ask; return whether the kernel took it. A thread started later inherits it, one that runs already does not."""
    return _ask(os.SCHED_OTHER, SHORT_NS)


def let_others_first() -> bool:
    """The opposite, for a thread that computes what is not waited for."""
    return _ask(os.SCHED_BATCH, LONG_NS)


def _ask(policy: int, slice_ns: int) -> bool:
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is None:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    raw = _ATTRIBUTES.pack(_ATTRIBUTES.size, policy, 0, nice, 0, slice_ns, 0, 0)
    return int(ctypes.CDLL(None).syscall(number, 0, raw, 0)) == 0
