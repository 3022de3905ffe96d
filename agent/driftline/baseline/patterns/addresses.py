"""Address of a connect → what it stands for: the container itself, its DNS server, a name, or just an address.

In: a ``ConnectEvent`` and what is known of its container. Out: text for ``ConnectBehaviour.address``. Why apart from
``folding``: this needs one event only. Why a name wins over the address: the name is what the program was configured
with; the address behind it changes by the hour. Next: ``behaviour`` and ``verdict.judge_connect``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from driftline.nouns import ConnectEvent

LOOPBACK = "loopback"
SELF = "self"
RESOLVER = "resolver"
_STANDS_FOR_ITSELF = frozenset({LOOPBACK, SELF, RESOLVER})

DNS_PORT = 53
MAX_NAME = 253
"""Characters of a host name (RFC 1035, section 2.3.4, without the last dot)."""
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NAMELESS = ("169.254.", "fe80:", "ff0", "224.", "239.")
"""Link-local and multicast addresses: what is behind them is not DNS's to say. Metadata services are among them; the
others (``identify.addresses.METADATA_ADDRESSES``) are told before any baseline is asked."""


class Surroundings(NamedTuple):
    """What is known of a container, and of one address, at the moment of a connect."""

    own: frozenset[str] = frozenset()  # the container's addresses
    resolvers: frozenset[str] = frozenset()  # name servers of its resolv.conf, as it was when it started
    names: tuple[str, ...] = ()  # what the container's DNS answers called the address, newest first


NOTHING_KNOWN = Surroundings()


def peer_of(event: ConnectEvent, surroundings: Surroundings) -> str:
    """Return what ``event`` connected to: "loopback", "self", "resolver", a host name, or the address itself.

    The newest name counts.
    """
    place = place_of(event, surroundings)
    if event.family == "unix" or place in _STANDS_FOR_ITSELF or place.startswith(_NAMELESS):
        return place
    return next((name for name in surroundings.names if is_host_name(name)), place)


def place_of(event: ConnectEvent, surroundings: Surroundings) -> str:
    """The same without names. The path of a Unix socket stays as it is.

    Only port 53 of a name server is "resolver": another port of the same machine is another service.
    """
    address = plain_address(event.address) if event.family != "unix" else event.address
    if event.port == DNS_PORT and event.family != "unix" and address in surroundings.resolvers:
        return RESOLVER
    return fold_address(address, event.family, surroundings.own)


def fold_address(address: str, family: str, own: frozenset[str]) -> str:
    """Return "loopback", "self" or the address; IPv4 in IPv6 becomes IPv4. Unix paths stay.

    Connecting to the unspecified address reaches the loopback on Linux. The port of a loopback connect stays: on
    loopback the port is what says which service is meant.
    """
    if family == "unix":
        return address
    address = plain_address(address)
    if address.startswith("127.") or address in {"::1", "0.0.0.0", "::"}:
        return LOOPBACK
    return SELF if address in own else address


def plain_address(address: str) -> str:
    """Return ``address`` without the IPv6 clothes of an IPv4 address (RFC 4291, section 2.5.5.2)."""
    return address[7:] if address.startswith("::ffff:") and "." in address else address


def is_host_name(name: str) -> bool:
    """Whether ``name`` may stand in a baseline as a host name: nothing else there looks like it.

    A container asks for any name it likes, and a server of its own answers: ``self`` or ``10.0.0.0/8`` must not pass.
    """
    if len(name) > MAX_NAME or name in _STANDS_FOR_ITSELF or not _NAME.fullmatch(name):
        return False
    return not name.rpartition(".")[2].isdigit()  # no top-level domain is a number: such text is an address
