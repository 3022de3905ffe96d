"""Redis: keys of every type, scripts, snapshots and the append-only file rewritten.

In: nothing. Out: ``REDIS``. The protocol is spoken by hand: a client library would be a dependency for ten lines.
Source: Redis serialization protocol specification (RESP2). Next: ``servers``.
"""

from __future__ import annotations

import socket
from random import Random

from benchmarks.servers.server import JOBS, REQUEST_SECONDS, Running, Server

PORT = 6379


def _ask(running: Running, *commands: tuple[str | int | bytes, ...]) -> bytes:
    """Send ``commands`` down one connection; return what came back."""
    words = [[w if isinstance(w, bytes) else str(w).encode() for w in command] for command in commands]
    lines = [b"*%d\r\n" % len(c) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in c) for c in [*words, [b"QUIT"]]]
    with socket.create_connection((running.address, PORT), REQUEST_SECONDS) as one:
        one.sendall(b"".join(lines))
        answer = b""
        while part := one.recv(1 << 16):
            answer += part
    return answer


def _ping(running: Running, _chance: Random) -> None:
    if b"PONG" not in _ask(running, ("PING",)):
        raise ConnectionError("not ready")


def _keys(running: Running, chance: Random) -> None:
    name = f"key:{chance.randrange(10**6)}"
    value = chance.randbytes(chance.randint(1, 50_000))
    _ask(
        running,
        ("SET", name, value, "EX", chance.randint(1, 60)),
        ("GET", name),
        ("HSET", f"h{name}", "field", str(chance.random())),
        ("ZADD", "board", chance.randrange(100), name),
        ("LPUSH", "queue", value[:100]),
        ("EVAL", f"return {chance.randrange(1000)}", 0),
        ("INFO",),
    )


def _snapshot(running: Running, _chance: Random) -> None:
    _ask(running, ("BGSAVE",))


def _rewrite(running: Running, _chance: Random) -> None:
    _ask(running, ("BGREWRITEAOF",))


def _flush(running: Running, _chance: Random) -> None:
    _ask(running, ("FLUSHALL", "ASYNC"), ("CONFIG", "SET", "maxmemory", "64mb"), ("CONFIG", "RESETSTAT"))


def _probe(running: Running, _chance: Random) -> None:
    running.probe(["/usr/bin/redis-cli", "ping"])


REDIS = Server(
    name="redis",
    packages=["redis-server"],
    start=[
        *("/usr/bin/redis-server", "/etc/redis/redis.conf", "--daemonize", "no", "--bind", "0.0.0.0"),
        *("--protected-mode", "no", "--save", "60", "20", "--appendonly", "yes"),
    ],
    user="redis",
    ready=_ping,
    rounds=[_keys, _keys, _keys, _probe],
    jobs={"snapshot": _snapshot, "rewrite": _rewrite, "flush": _flush},
    inside=JOBS,
    volumes=["/run/redis", "/var/lib/redis"],
    data="/var/lib/redis",
)
