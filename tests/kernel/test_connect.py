"""Connects and datagrams: the kernel's copy of the address, whichever way the program went."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.nouns import RecordFlag
from kernel.watching import Box, Watch
from rig import session
from rig.bundle import ContainerOptions

COUNT = 13
PROTOCOL = {"tcp": "tcp", "udp": "udp", "udp-sendto": "udp", "udp-sendmsg": "udp", "uring": "tcp"}


@pytest.mark.parametrize("mode", PROTOCOL)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_every_attempt_is_seen_once(box: Box, mode: str, address: str) -> None:
    connects = box.see(["/work/connects", mode, address, "4711", str(COUNT)]).connects()
    family = "ipv6" if ":" in address else "ipv4"
    assert [(e.family, e.protocol, e.address, e.port) for e in connects] == [
        (family, PROTOCOL[mode], address, 4711)
    ] * COUNT
    assert {event.cgroup for event in connects} == {box.subject}
    assert {event.result for event in connects} == {None}
    assert all(event.flags & RecordFlag.ENTERED for event in connects)


def test_ipv4_inside_ipv6_is_told_as_ipv4(box: Box) -> None:
    (event,) = box.see(["/work/connects", "tcp", "::ffff:127.0.0.1", "80", "1"]).connects()
    assert (event.family, event.address, event.port) == ("ipv4", "127.0.0.1", 80)


@contextlib.contextmanager
def listening(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX, kind) as listener:
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen(COUNT)
        yield


@pytest.mark.parametrize(("mode", "kind"), [("unix-stream", socket.SOCK_STREAM), ("unix-dgram", socket.SOCK_DGRAM)])
def test_unix_connects_tell_the_path_the_listener_bound(
    box: Box, volume: Path, tmp_path: Path, mode: str, kind: socket.SocketKind
) -> None:
    """The engine's socket mounted under another name is told by its own name: that is what makes it recognisable."""
    with listening(str(volume / f"{kind.name}.sock"), kind):
        connects = box.see(["/work/connects", mode, f"/volume/{kind.name}.sock", "0", "7"]).connects()
    assert [(e.family, e.address, e.result) for e in connects] == [("unix", str(volume / f"{kind.name}.sock"), 0)] * 7


def test_abstract_unix_names(watch: Watch) -> None:
    name = f"driftline-{session.TOKEN}"
    with watch.box(ContainerOptions(host_network=True)) as box, listening(f"\0{name}"):
        (event,) = box.see(["/work/connects", "unix-stream", f"@{name}", "0", "1"]).connects()
    assert event.address == f"@{name}"


def test_a_failing_unix_connect_reached_nobody(box: Box) -> None:
    assert box.see(["/work/connects", "unix-stream", "/nowhere", "0", "3"]).connects() == []
