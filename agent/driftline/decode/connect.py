"""Connects: bpf/connect.bpf.c and the Unix connects of bpf/sys_exit, bpf/lsm, bpf/fentry → ConnectEvent.

In: record bytes. Out: events. An IPv4 address inside IPv6 (::ffff:a.b.c.d) is told as IPv4. Next: identify.
"""

from __future__ import annotations

import socket

from driftline.decode.header import CACHEABLE, PATH_TRUNCATED, Head, process_of
from driftline.decode.path import join
from driftline.errors import RecordError
from driftline.nouns import ConnectEvent
from driftline.probe.layout import CONNECT, CONNECT_BYTES, CONNECT_KEY_BYTES, HEADER

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 132: "sctp", 136: "udplite"}
MAPPED = bytes(10) + b"\xff\xff"


def address_of(family: int, raw: bytes) -> tuple[str, str]:
    """(family, address) as events tell them. Raises RecordError for a family that is neither IPv4 nor IPv6."""
    if family == socket.AF_INET:
        return "ipv4", socket.inet_ntop(socket.AF_INET, raw[:4])
    if family != socket.AF_INET6:
        raise RecordError(f"a record of address family {family}")
    if raw.startswith(MAPPED):
        return "ipv4", socket.inet_ntop(socket.AF_INET, raw[12:])
    return "ipv6", socket.inet_ntop(socket.AF_INET6, raw)


def decode_connect(record: bytes, head: Head) -> ConnectEvent:
    """An outbound connection or datagram."""
    if len(record) < CONNECT_BYTES:
        raise RecordError(f"a connect record of {len(record)} bytes, at least {CONNECT_BYTES} expected")
    _subject, _epoch, port, family, number, raw, result, path_bytes, abstract = CONNECT.unpack_from(record, HEADER.size)
    if len(record) < CONNECT_BYTES + path_bytes:
        raise RecordError(f"a connect record of {len(record)} bytes, its name needs {CONNECT_BYTES + path_bytes}")
    if family == socket.AF_UNIX:
        name = record[CONNECT_BYTES : CONNECT_BYTES + path_bytes]
        kind, protocol = "unix", "unix"
        address = "@" + name.decode("utf-8", "surrogateescape") if abstract else _unix_path(name, head[3])
    else:
        kind, address = address_of(family, raw)
        protocol = PROTOCOLS.get(number, str(number))
    key = record[HEADER.size : HEADER.size + CONNECT_KEY_BYTES] if head[3] & CACHEABLE else b""
    outcome = None if result < 0 else result
    return ConnectEvent(
        head[4], head[6], process_of(head), head[3], head[15], key, b"", kind, protocol, address, port, outcome
    )


def _unix_path(raw: bytes, flags: int) -> str:
    return join(raw, bool(flags & PATH_TRUNCATED)) if raw else ""
