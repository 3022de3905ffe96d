"""Which security modules the kernel runs.

In: securityfs, or the system call that came later. Out: their names. Why both: containers rarely have securityfs, and
the system call is younger than many kernels. Next: ``preflight``: a BPF security module that is built in but not
active takes programs and never calls them.
"""

from __future__ import annotations

import ctypes as c
from pathlib import Path

SECURITY = Path("/sys/kernel/security")
LIST_MODULES = 461  # lsm_list_modules(2), Linux 6.8, the same number on every architecture
BPF = 109  # LSM_ID_BPF, include/uapi/linux/lsm.h; only this one matters
MODULES = 64  # room in the answer: the kernel knows fourteen


def security_modules(directory: Path = SECURITY) -> tuple[str, ...] | None:
    """Names of the active modules; only ("bpf",) or () from the system call; None when neither way works."""
    try:
        return tuple((directory / "lsm").read_text().strip().split(","))
    except OSError:
        numbers = _listed()
    return None if numbers is None else ("bpf",) * (BPF in numbers)


def _listed() -> list[int] | None:
    found, size = (c.c_uint64 * MODULES)(), c.c_uint32(8 * MODULES)
    count = c.CDLL(None).syscall(c.c_long(LIST_MODULES), found, c.byref(size), c.c_uint32(0))
    return None if count < 0 else list(found[:count])
