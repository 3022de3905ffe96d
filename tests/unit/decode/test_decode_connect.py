"""Connect records."""

from __future__ import annotations

import socket

import pytest

from driftline.decode.record import decode
from driftline.nouns import ConnectEvent
from unit.decode import records

V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1")
MAPPED = socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.7")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (records.connected(2, bytes([10, 1, 2, 3]) + bytes(12), 443), ("ipv4", "tcp", "10.1.2.3", 443)),
        (records.connected(10, V6, 53, 17), ("ipv6", "udp", "2001:db8::1", 53)),
        (records.connected(10, MAPPED, 80), ("ipv4", "tcp", "192.0.2.7", 80)),
        (records.connected(2, bytes(16), 0, 253), ("ipv4", "253", "0.0.0.0", 0)),
        (records.connected(1, bytes(16), 0, 0, records.walked(b"run", b"d.sock")), ("unix", "unix", "/run/d.sock", 0)),
        (records.connected(1, bytes(16), 0, 0, b"a\0b", 1), ("unix", "unix", "@a\0b", 0)),
        (records.connected(1, bytes(16), 0, 0), ("unix", "unix", "", 0)),
    ],
)
def test_addresses(record: bytes, expected: tuple[str, str, str, int]) -> None:
    event = decode(record)
    assert isinstance(event, ConnectEvent)
    assert (event.family, event.protocol, event.address, event.port) == expected
    assert event.result is None
