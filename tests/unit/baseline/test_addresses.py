"""What the address of a connect stands for: itself, a name, the container, its DNS server."""

from __future__ import annotations

import pytest

from driftline.baseline.patterns.addresses import NOTHING_KNOWN, Surroundings, is_host_name, peer_of, place_of
from unit.baseline.making import connected

_KNOWN = Surroundings(
    own=frozenset({"10.0.0.1"}),
    resolvers=frozenset({"10.96.0.10", "127.0.0.11"}),
    names=("api.example.com", "old.example.com"),
)


@pytest.mark.parametrize(
    ("address", "port", "family", "expected"),
    [
        ("93.184.216.34", 443, "ipv4", "api.example.com"),
        ("10.0.0.9", 443, "ipv4", "api.example.com"),
        ("10.0.0.1", 443, "ipv4", "self"),
        ("127.0.0.1", 443, "ipv4", "loopback"),
        ("127.0.0.11", 53, "ipv4", "resolver"),
        ("127.0.0.11", 80, "ipv4", "loopback"),
        ("10.96.0.10", 53, "ipv4", "resolver"),
        ("::ffff:10.96.0.10", 53, "ipv6", "resolver"),
        ("10.96.0.10", 443, "ipv4", "api.example.com"),
        ("169.254.169.254", 80, "ipv4", "169.254.169.254"),
        ("fe80::1", 80, "ipv6", "fe80::1"),
        ("224.0.0.251", 5353, "ipv4", "224.0.0.251"),
        ("ff02::fb", 5353, "ipv6", "ff02::fb"),
        ("/run/api.sock", 53, "unix", "/run/api.sock"),
        ("10.96.0.10", 53, "unix", "10.96.0.10"),
    ],
)
def test_peers(address: str, port: int, family: str, expected: str) -> None:
    assert peer_of(connected(address, port, family=family), _KNOWN) == expected


def test_nothing_known_leaves_the_address() -> None:
    event = connected("::ffff:10.96.0.10", 53, family="ipv6")
    assert peer_of(event, NOTHING_KNOWN) == place_of(event, NOTHING_KNOWN) == "10.96.0.10"


def test_the_place_is_the_peer_without_names() -> None:
    assert place_of(connected("93.184.216.34"), _KNOWN) == "93.184.216.34"
    assert place_of(connected("10.96.0.10", 53), _KNOWN) == "resolver"


@pytest.mark.parametrize(
    "name",
    [
        "loopback",
        "self",
        "resolver",
        "10.0.0.1",
        "10.0.0.0/8",
        "*.com",
        "*",
        "fd00::1",
        "",
        ".",
        "a..b",
        "A.example",
        "a\nb",
        "x" * 64,
        ".".join("abcdefgh" for _ in range(29)),
        "evil.1",
        "{num}.example.com",
        "a b",
        "/run/docker.sock",
    ],
)
def test_a_name_that_reads_like_something_else_is_none(name: str) -> None:
    """Else a container's own DNS server could let it speak to whatever "loopback" or a network is allowed to be."""
    assert not is_host_name(name)
    assert peer_of(connected("93.184.216.34"), Surroundings(names=(name,))) == "93.184.216.34"


@pytest.mark.parametrize(
    "name", ["db", "api.example.com", "_sip._tcp.example.com", "xn--bcher-kva.example", "1.pool.ntp.org"]
)
def test_host_names(name: str) -> None:
    assert is_host_name(name)
