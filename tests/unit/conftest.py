"""Unit tests run in a network namespace where even the loopback is down: that they need no network is so proved.

In: each module of this directory. Out: the same, cut off; without root it runs as it is. Why by module and for this
thread alone: the namespace of a thread is its own and its children's, so it can be left again (setns(2)).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module", autouse=True)
def without_network() -> Iterator[None]:
    """Enter a network namespace with nothing in it, and leave it after the module's tests."""
    if os.geteuid() != 0:
        yield
        return
    with open("/proc/thread-self/ns/net", "rb") as before:
        _check(_libc.unshare(_CLONE_NEWNET))
        try:
            yield
        finally:
            _check(_libc.setns(before.fileno(), _CLONE_NEWNET))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "the network namespace cannot be changed")
