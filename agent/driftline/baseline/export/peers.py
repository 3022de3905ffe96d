"""Whom connects go to, as other tools can say it.

In: connects of a baseline. Out: each as what kind of peer it is; networks grouped by ports. Next: ``networkpolicy``,
``falco``, ``tetragon``.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from driftline.baseline.patterns.addresses import LOOPBACK, RESOLVER, SELF
from driftline.nouns import EPHEMERAL, ConnectBehaviour

FIRST_EPHEMERAL, LAST_EPHEMERAL = 32_768, 60_999
LAST_PORT = 65_535

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Port = tuple[str, int]  # protocol, number or EPHEMERAL


class Place(StrEnum):
    """What kind of peer it is."""

    LOOPBACK = "loopback"
    SELF = "self"
    RESOLVER = "resolver"
    NETWORK = "network"  # one address is a network too
    NAME = "name"
    UNIX = "unix"


class Peer(NamedTuple):
    """One connect. ``network`` is set for NETWORK only."""

    place: Place
    behaviour: ConnectBehaviour
    network: Network | None = None

    @property
    def port(self) -> Port:
        """Protocol and port."""
        return self.behaviour.protocol, self.behaviour.port

    @property
    def text(self) -> str:
        """As people write it."""
        port = "ephemeral" if self.behaviour.port == EPHEMERAL else str(self.behaviour.port)
        return f"{self.behaviour.protocol} {self.behaviour.address}:{port}"


def peer_of(behaviour: ConnectBehaviour) -> Peer:
    """Tell whom ``behaviour`` connects to."""
    if behaviour.protocol == "unix":
        return Peer(Place.UNIX, behaviour)
    named = {LOOPBACK: Place.LOOPBACK, SELF: Place.SELF, RESOLVER: Place.RESOLVER}.get(behaviour.address)
    if named:
        return Peer(named, behaviour)
    try:
        return Peer(Place.NETWORK, behaviour, ipaddress.ip_network(behaviour.address, strict=False))
    except ValueError:
        return Peer(Place.NAME, behaviour)


def is_port(port: Port) -> bool:
    """Whether it is a number a policy can name: 1 to 65535, or the ephemeral ones."""
    return port[1] == EPHEMERAL or 0 < port[1] <= LAST_PORT


def by_ports(peers: Iterable[Peer]) -> dict[tuple[Port, ...], list[Network]]:
    """Group networks by the ports they are reached at: one rule each, sorted."""
    ports: dict[Network, set[Port]] = defaultdict(set)
    for peer in peers:
        if peer.network is not None:
            ports[peer.network].add(peer.port)
    groups: dict[tuple[Port, ...], list[Network]] = defaultdict(list)
    for network, reached in ports.items():
        groups[tuple(sorted(reached))].append(network)
    return {key: sorted(groups[key], key=_order) for key in sorted(groups)}


def by_port(peers: Iterable[Peer]) -> dict[Port, list[Network]]:
    """The same the other way round: which networks each port is reached at."""
    found: dict[Port, set[Network]] = defaultdict(set)
    for peer in peers:
        if peer.network is not None:
            found[peer.port].add(peer.network)
    return {port: sorted(found[port], key=_order) for port in sorted(found)}


def _order(network: Network) -> tuple[int, int, int]:
    return network.version, int(network.network_address), network.prefixlen
