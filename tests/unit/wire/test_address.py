"""Addresses as people write them, which of them are the loopback, and clear words for what is none."""

from __future__ import annotations

import pytest

from driftline.errors import SettingsError
from driftline.wire.address import ADDRESSES, parse_address, parse_addresses
from driftline.wire.client import CollectorClient


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4780", "127.0.0.1:4780"),
        ("127.8.9.1:0", "127.8.9.1:0"),
        ("localhost:1", "localhost:1"),
        ("LocalHost:1", "localhost:1"),
        ("[::1]:65535", "[::1]:65535"),
        ("[0:0::1]:5", "[::1]:5"),
    ],
)
def test_loopback(text: str, address: str) -> None:
    parsed = parse_address(text)
    assert str(parsed) == address
    assert parsed.loopback


@pytest.mark.parametrize(
    "text", ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[fe80::1]:1", "collector.example:1", "localhost.evil.example:1"]
)
def test_not_loopback(text: str) -> None:
    """A name is never looked up: its answer may change."""
    parsed = parse_address(text)
    assert str(parsed) == text
    assert not parsed.loopback


@pytest.mark.parametrize("text", ["", "4780", ":4780", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x"])
def test_not_host_and_port(text: str) -> None:
    with pytest.raises(SettingsError, match="is not HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize(
    "text", ["::1:80", "[127.0.0.1]:1", "[x]:1", "1.2.3:1", "a b:1", "-x:1", "unix:/run/x:1", "dns:///x:1", "a..b:1"]
)
def test_no_host(text: str) -> None:
    with pytest.raises(SettingsError, match="is neither an IP address nor a host name"):
        parse_address(text)


def test_a_client_needs_a_port() -> None:
    with pytest.raises(SettingsError, match="port 0"):
        CollectorClient("127.0.0.1:0")


def test_several_are_kept_in_their_order() -> None:
    assert [str(one) for one in parse_addresses("b.example:2, a.example:1,[::1]:3")] == [
        "b.example:2",
        "a.example:1",
        "[::1]:3",
    ]


@pytest.mark.parametrize("text", [",a:1", "a:1,", "a:1,,b:2", "a:1 b:2", "a:1;b:2"])
def test_a_hole_in_the_list_is_an_error(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_addresses(text)


def test_more_than_can_be_tried_are_refused() -> None:
    parse_addresses(",".join(["a:1"] * ADDRESSES))
    with pytest.raises(SettingsError, match="17 collectors are named"):
        parse_addresses(",".join(["a:1"] * (ADDRESSES + 1)))
