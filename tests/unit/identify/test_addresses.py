"""A container's own addresses, from its network namespace's files, and its name servers, from its resolv.conf."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from driftline.identify.addresses import (
    MAX_RESOLV_CONF,
    _ipv4,
    _ipv6,
    _resolv_conf,
    _servers,
    name_servers,
    own_addresses,
)

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


def test_name_servers_are_those_libc_would_ask() -> None:
    lines = "# x", "search a b", "nameserver 10.96.0.10", "nameserver", " nameserver  fe80::1%eth0 x", "nameserver host"
    text = "\n".join((*lines, "nameserver ::1"))
    assert _servers(text) == {"10.96.0.10", "fe80::1"}
    assert _servers("") == frozenset()


def _with_root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc/resolv.conf"


def test_a_containers_own_file_is_read(tmp_path: Path) -> None:
    _with_root(tmp_path).write_text("nameserver 10.96.0.10\n")
    assert _resolv_conf(str(tmp_path)) == "nameserver 10.96.0.10\n"


def test_no_link_is_followed_out_of_the_container(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("nameserver 6.6.6.6\n")
    _with_root(tmp_path).symlink_to(outside)
    assert _resolv_conf(str(tmp_path)) == ""
    (tmp_path / "etc").rename(tmp_path / "other")
    (tmp_path / "etc").symlink_to(tmp_path / "other")
    with pytest.raises(OSError):  # noqa: PT011 - which one is the kernel's choice
        _resolv_conf(str(tmp_path))


def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(_with_root(tmp_path))
    assert _resolv_conf(str(tmp_path)) == ""


def test_what_is_read_is_bounded(tmp_path: Path) -> None:
    _with_root(tmp_path).write_text("#" * (2 * MAX_RESOLV_CONF))
    assert len(_resolv_conf(str(tmp_path))) == MAX_RESOLV_CONF


def test_of_a_process_without_the_file_nothing_is_known() -> None:
    assert name_servers(2**22 + 1) == frozenset()
