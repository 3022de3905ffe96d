"""Only loopback addresses, and clear words for everything else."""

from __future__ import annotations

import pytest

from driftline.errors import SettingsError
from driftline.wire.address import loopback_address
from driftline.wire.client import CollectorClient


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4780", "127.0.0.1:4780"),
        ("127.8.9.1:0", "127.8.9.1:0"),
        ("localhost:1", "127.0.0.1:1"),
        ("[::1]:65535", "[::1]:65535"),
    ],
)
def test_loopback(text: str, address: str) -> None:
    assert loopback_address(text) == address


@pytest.mark.parametrize("text", ["", "4780", ":4780", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x"])
def test_not_host_and_port(text: str) -> None:
    with pytest.raises(SettingsError, match="is not HOST:PORT"):
        loopback_address(text)


@pytest.mark.parametrize("text", ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[fe80::1]:1"])
def test_not_loopback(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a loopback address") as caught:
        loopback_address(text)
    assert "mTLS" in caught.value.hint


def test_a_name_is_not_looked_up() -> None:
    with pytest.raises(SettingsError, match="is not an IP address or localhost"):
        loopback_address("collector.example:1")


def test_a_client_needs_a_port() -> None:
    with pytest.raises(SettingsError, match="port 0"):
        CollectorClient("127.0.0.1:0")
