"""memcached: keys set, read, counted and flushed.

In: nothing. Out: ``MEMCACHED``. Source of the protocol: memcached's doc/protocol.txt. Next: ``servers``.
"""

from __future__ import annotations

import socket
from random import Random

from benchmarks.servers.server import JOBS, REQUEST_SECONDS, Running, Server

PORT = 11211


def _ask(running: Running, text: bytes) -> bytes:
    with socket.create_connection((running.address, PORT), REQUEST_SECONDS) as one:
        one.sendall(text + b"quit\r\n")
        answer = b""
        while part := one.recv(1 << 16):
            answer += part
    return answer


def _keys(running: Running, chance: Random) -> None:
    name, value = b"k%d" % chance.randrange(10**6), chance.randbytes(chance.randint(1, 100_000))
    store = b"set %s 0 %d %d\r\n%s\r\n" % (name, chance.randint(0, 60), len(value), value)
    _ask(running, store + b"get %s\r\nincr n 1\r\nset n 0 0 1\r\n1\r\ntouch %s 9\r\n" % (name, name))


def _stats(running: Running, chance: Random) -> None:
    _ask(running, b"stats %s\r\nversion\r\n" % chance.choice((b"items", b"slabs", b"settings", b"sizes")))


def _flush(running: Running, _chance: Random) -> None:
    _ask(running, b"flush_all\r\n")


def _ready(running: Running, _chance: Random) -> None:
    _ask(running, b"version\r\n")


MEMCACHED = Server(
    name="memcached",
    packages=["memcached"],
    start=["/usr/bin/memcached", "-m", "64", "-l", "0.0.0.0", "-p", str(PORT), "-U", str(PORT)],
    user="memcache",
    ready=_ready,
    rounds=[_keys, _keys, _stats],
    jobs={"flush": _flush},
    inside=JOBS,
)
