"""Ports that a test names before somebody listens there, or that must be had again after a restart.

In: nothing. Out: ports that are free, and that the kernel gives to nobody who asks for any port: those are taken by
others meanwhile. Next: tests.
"""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

_LOWEST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def _candidates() -> Iterator[int]:
    """Ports below those the kernel hands out, for ever; two processes begin far from each other."""
    count = int(_RANGE.read_text().split()[0]) - _LOWEST
    assert count > 0, f"{_RANGE} leaves no port above {_LOWEST}"
    return (_LOWEST + number % count for number in itertools.count(random.Random(os.getpid()).randrange(count)))


_numbers = _candidates()


def free() -> int:
    """A port of the loopback at which nobody listens, TCP and UDP; each only once in a process."""
    while True:
        port = next(_numbers)
        if all(_is_free(kind, port) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return port


def _is_free(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
