"""A container's own addresses, read from its network namespace's files."""

from __future__ import annotations

import os
import socket

from driftline.identify.addresses import _ipv4, _ipv6, own_addresses

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.244.1.0/24 2 0 2
        |-- 10.244.1.0
           /24 link UNICAST
        |-- 10.244.1.7
           /32 host LOCAL
        |-- 10.244.1.255
           /32 link BROADCAST
Local:
     |-- 127.0.0.1
        /32 host LOCAL
"""
IF_INET6 = """\
fe8000000000000000a1b2fffec3d4e5 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""


def test_ipv4_local_addresses_only() -> None:
    assert _ipv4(FIB_TRIE) == {"10.244.1.7", "127.0.0.1"}


def test_ipv6_as_connects_are_told() -> None:
    assert _ipv6(IF_INET6) == {"fe80::a1:b2ff:fec3:d4e5", "::1"}
    assert _ipv6("no address\n") == set()


def test_our_own() -> None:
    """Loopback where it is up; a network namespace of its own (``unshare --net``) has no address at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        up = probe.connect_ex(("127.0.0.1", 9)) == 0
    assert ("127.0.0.1" in own_addresses(os.getpid())) is up


def test_of_a_process_that_ended_nothing_is_known() -> None:
    assert own_addresses(2**22 + 1) == frozenset()
