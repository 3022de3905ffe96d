"""Connections of a network namespace, from the kernel's socket diagnosis (sock_diag(7)).

In: a process in the namespace. Out: connected TCP and UDP sockets by inode number. Why: a container that ran before the
agent has made its connections already. The only module that imports pyroute2; runs in a child process that ends soon,
because it moves its thread into the namespace. Next: ``running``.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
from typing import Any, NamedTuple

from pyroute2 import DiagSocket, NetlinkError

_CLONE_NEWNET = 0x40000000
_LISTEN = 10  # include/net/tcp_states.h
_CLOSE = 7
_ALL_STATES = 0xFFF
_PROTOCOLS = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}


class Connection(NamedTuple):
    """An outbound connection."""

    family: str  # "ipv4", "ipv6"
    protocol: str  # "tcp", "udp"
    address: str
    port: int


class Sockets(NamedTuple):
    """Of one network namespace, by inode number."""

    outbound: dict[int, Connection]
    internet: frozenset[int]  # all of TCP and UDP


NONE = Sockets({}, frozenset())


def sockets_of(pid: int) -> Sockets:
    """Return the internet sockets in the network namespace of ``pid``.

    A TCP connection whose own port is listened on was accepted, not made: it is left out. Moves the calling thread into
    the namespace. Raises OSError if that fails or the process is gone.
    """
    _enter(pid)
    found: dict[int, Connection] = {}
    internet: set[int] = set()
    with DiagSocket() as diagnosis:
        diagnosis.bind()
        for protocol in _PROTOCOLS:
            rows = _dump(diagnosis, protocol)
            listening = {row["idiag_sport"] for row in rows if row["idiag_state"] == _LISTEN}
            internet |= {row["idiag_inode"] for row in rows}
            for row in rows:
                if _is_outbound(row, protocol, listening):
                    found[row["idiag_inode"]] = _connection(row, protocol)
    return Sockets(found, frozenset(internet - {0}))


def _enter(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(namespace, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(namespace)


def _dump(diagnosis: DiagSocket, protocol: int) -> list[Any]:
    rows: list[Any] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            rows += diagnosis.get_sock_stats(family=family, states=_ALL_STATES, protocol=protocol)
        except NetlinkError as error:  # this kernel lacks tcp_diag or udp_diag
            raise OSError(error.code, str(error)) from error
    return rows


def _is_outbound(row: Any, protocol: int, listening: set[int]) -> bool:
    if row["idiag_state"] in (_LISTEN, _CLOSE) or row["idiag_dport"] == 0 or row["idiag_inode"] == 0:
        return False
    return protocol == socket.IPPROTO_UDP or row["idiag_sport"] not in listening


def _connection(row: Any, protocol: int) -> Connection:
    address = ipaddress.ip_address(row["idiag_dst"])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    family = "ipv4" if address.version == 4 else "ipv6"
    return Connection(family, _PROTOCOLS[protocol], str(address), int(row["idiag_dport"]))
