"""HOST:PORT as people write it.

In: a setting's text. Out: host and port (or several, to be tried in turn), whether it is surely the loopback, or a
SettingsError that says how to write it. Why the loopback is told apart: only there may plain text travel without being
asked for. A name is never looked up for that, as its answer may change. Next: ``credentials`` decides what a connection
needs, the collector's ``access_ports`` where to listen.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from driftline.errors import SettingsError
from driftline.text import escape

DEFAULT_COLLECTOR = "127.0.0.1:4780"
"""Where a collector listens, and is looked for, unless told otherwise."""

ADDRESSES = 16
"""Most collectors that are tried in turn: a round through more that are all away would take minutes."""

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\.?", re.IGNORECASE)
_LOOPBACK_NAME = "localhost"


class Address(NamedTuple):
    """A place to connect to or listen on. ``host`` is an IP address without brackets, or a DNS name."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether nothing sent there can leave this machine."""
        ip = _ip(self.host)
        return self.host == _LOOPBACK_NAME or (ip is not None and ip.is_loopback)

    def __str__(self) -> str:
        """Return the form gRPC takes."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address that ``text`` means. Raises SettingsError. Port 0 is allowed: a listener gets a free one."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise SettingsError(f"'{escape(text)}' is not HOST:PORT", "write it like 127.0.0.1:4780")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host.lower()
    ip = _ip(bare)
    if ip is not None and bracketed == (ip.version == 6):
        return Address(str(ip), int(port))
    if bracketed or ip is not None or not _NAME.fullmatch(bare) or bare.rpartition(".")[2].isdigit():
        hint = "write it like 127.0.0.1:4780, [::1]:4780 or collector.example:4780"
        raise SettingsError(f"'{escape(host)}' is neither an IP address nor a host name", hint)
    return Address(bare, int(port))


def parse_addresses(text: str) -> tuple[Address, ...]:
    """Return the addresses in ``text``, which commas part, in their order. Raises SettingsError."""
    parts = text.split(",")
    if len(parts) > ADDRESSES:
        raise SettingsError(f"{len(parts)} collectors are named, at most {ADDRESSES} are tried in turn")
    return tuple(parse_address(part.strip()) for part in parts)


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
