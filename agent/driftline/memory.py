"""How the agent keeps its resident memory small: what glibc's allocator holds back goes to the kernel.

In: nothing. Out: nothing. Why: starting takes more memory for a moment (modules, BTF, BPF programs) than running ever
does, and glibc keeps it, in an arena for each thread. See mallopt(3) and malloc_trim(3). Elsewhere than with glibc
nothing happens. Next: ``lifecycle``.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # malloc.h
_LIBC = ctypes.CDLL(None)


def share_one_arena() -> None:
    """Have all threads started later share the allocator of the main one: they allocate little, and seldom at once."""
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Give the kernel what is free at the moment."""
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
