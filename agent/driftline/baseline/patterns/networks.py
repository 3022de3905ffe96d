"""Networks a baseline expects connects to: is an address in one of them?

In: networks in CIDR notation, addresses as text. Out: yes or no, by one look-up per distinct prefix length. Why not
``ipaddress``: parsing one address with it takes longer than all the rest of a verdict. Next: ``matching``.
"""

from __future__ import annotations

import socket

_Network = tuple[int, int]  # bits of an address of the family, and of the prefix


class Networks:
    """Pairs of network and port, per protocol."""

    __slots__ = ("_held", "_shapes")

    def __init__(self) -> None:
        self._held: set[tuple[str, int, int, int, int]] = set()  # protocol, address bits, prefix, network, port
        self._shapes: tuple[_Network, ...] = ()

    def add(self, protocol: str, network: str, port: int) -> None:
        """Expect connects to ``network``; text that is no network is left alone."""
        parsed = parse_network(network)
        if parsed is None:
            return
        bits, prefix, value = parsed
        self._held.add((protocol, bits, prefix, value >> (bits - prefix), port))
        if (bits, prefix) not in self._shapes:
            self._shapes = tuple(sorted((*self._shapes, (bits, prefix))))

    def holds(self, protocol: str, address: str, port: int) -> bool:
        """Whether ``address`` is in a network of this protocol and port."""
        parsed = _parse_address(address)
        if parsed is None:
            return False
        bits, value = parsed
        for width, prefix in self._shapes:
            if width == bits and (protocol, bits, prefix, value >> (bits - prefix), port) in self._held:
                return True
        return False


def parse_network(text: str) -> tuple[int, int, int] | None:
    """Return (bits of an address, prefix length, address) of CIDR notation, None for other text."""
    address, slash, length = text.partition("/")
    parsed = _parse_address(address)
    if not slash or parsed is None or not (length.isascii() and length.isdigit() and len(length) <= 3):
        return None
    bits, value = parsed
    return (bits, int(length), value) if int(length) <= bits else None


def _parse_address(text: str) -> tuple[int, int] | None:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        packed = socket.inet_pton(family, text)
    except (OSError, ValueError):
        return None
    return len(packed) * 8, int.from_bytes(packed)
