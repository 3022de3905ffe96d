"""DNS messages with any content, and a server that sends them.

In: records. Out: bytes; ``server`` answers each datagram with what it is told to. Why no library: a test must be able
to say every byte, wrong ones too. Source: RFC 1035, section 4. Next: tests.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence

A, CNAME, PTR, AAAA = 1, 5, 12, 28
RESPONSE = 0x8180  # recursion desired and available, no error
ASKED = b"\xc0\x0c"  # a pointer to the question's name
TTL = 60
CLONE_NEWNET = 0x40000000
POLL_SECONDS = 0.1
BIND_SECONDS = 60.0  # another run on this machine may have the port for a moment

_PID = os.getpid()
LOOPBACK = f"127.{64 + (_PID >> 16) % 64}.{_PID >> 8 & 255}.{_PID & 255}"
"""An address of this process: no resolver of a machine listens there, nor does another run of the tests."""

Record = tuple[bytes, int, bytes]  # owner as on the wire, type, data


def wire(name: str) -> bytes:
    """A name as on the wire."""
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def a(address: str, owner: bytes = ASKED) -> Record:
    """An address record, IPv4 or IPv6."""
    family, kind = (socket.AF_INET6, AAAA) if ":" in address else (socket.AF_INET, A)
    return owner, kind, socket.inet_pton(family, address)


def cname(target: str, owner: bytes = ASKED) -> Record:
    """An alias."""
    return owner, CNAME, wire(target)


def message(
    name: str, records: Sequence[Record], *, kind: int = A, flags: int = RESPONSE, number: int = 7, ttl: int = TTL
) -> bytes:
    """A message with one question."""
    head = struct.pack(">6H", number, flags, 1, len(records), 0, 0) + wire(name) + struct.pack(">HH", kind, 1)
    return head + b"".join(
        owner + struct.pack(">HHIH", type_, 1, ttl, len(data)) + data for owner, type_, data in records
    )


def answer_to(query: bytes, addresses: Sequence[str]) -> bytes:
    """What a resolver says to ``query``: those of the addresses that are of the kind asked for."""
    end = query.index(b"\0", 12) + 5
    family = struct.unpack_from(">H", query, end - 4)[0]
    records = [a(address) for address in addresses if a(address)[1] == family]
    rest = b"".join(owner + struct.pack(">HHIH", type_, 1, TTL, len(data)) + data for owner, type_, data in records)
    return query[:2] + struct.pack(">5H", RESPONSE, 1, len(records), 0, 0) + query[12:end] + rest


@contextlib.contextmanager
def server(address: str, answer: Callable[[bytes], bytes], port: int = 53, pid: int = 0) -> Iterator[None]:
    """Answer datagrams to ``address``, in the network namespace of process ``pid`` (0: this one's)."""
    stop = threading.Event()
    with _bound(address, port, pid) as one:

        def serve() -> None:
            while not stop.is_set():
                if select.select([one], [], [], POLL_SECONDS)[0]:
                    query, peer = one.recvfrom(4096)
                    one.sendto(answer(query), peer)

        thread = threading.Thread(target=serve, name="dns-server")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _bound(address: str, port: int, pid: int) -> socket.socket:
    """A socket of the namespace: a thread enters it, for that changes the thread alone."""
    sockets: list[socket.socket] = []

    def make() -> None:
        if pid:
            with open(f"/proc/{pid}/ns/net", "rb") as namespace:
                if ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET):
                    return
        sockets.append(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM))

    thread = threading.Thread(target=make, name="dns-socket")
    thread.start()
    thread.join()
    if not sockets:
        raise OSError(f"the network namespace of process {pid} cannot be entered")
    try:
        _bind(sockets[0], address, port)
    except OSError:
        sockets[0].close()
        raise
    return sockets[0]


def _bind(one: socket.socket, address: str, port: int) -> None:
    until = time.monotonic() + BIND_SECONDS
    while True:
        try:
            one.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
