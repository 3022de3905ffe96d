"""Connects to many addresses → a network; to many names → a zone; to many made-up ports → any of them.

In: connects that clean learning allowed. Out: the same, with networks (``10.0.3.0/24``), zones (``*.example.com``) and
``EPHEMERAL`` where there is evidence. Why ports first and per address, networks and zones after and never for a single
port of the ephemeral range: then it never matters in how many parts the connects came. Next: ``folding``.

A network is only ever private: the addresses of a public service come with names, or one by one in a review. Nor does
one hold a cloud's metadata service. A zone is never one in which strangers have names too.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import replace

from driftline.baseline.merging import merge_entries, smallest
from driftline.baseline.patterns.addresses import is_host_name
from driftline.baseline.schema import Entry
from driftline.nouns import EPHEMERAL, ConnectBehaviour

MIN_PORTS = 3
"""Ports of the ephemeral range at one address that show the number means nothing: a service that was given a port there
by hand has one, perhaps a second for its metrics."""
MIN_ADDRESSES = 5
"""Addresses of one network on one port: fewer are the replicas of one service, and better listed."""
MIN_NAMES = 8
"""Names of one zone on one port."""

_EPHEMERAL_PORTS = range(32_768, 61_000)
_PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")  # RFC 1918, 6598, 4193
_METADATA = ("100.100.100.", "fd00:ec2:0:0:", "fd00:ec2::")
"""Beginnings of networks that hold a cloud's metadata service (``identify.addresses.METADATA_ADDRESSES``)."""

_ZONES = """
akamaihd.net akamaized.net amazonaws.com appspot.com azure-api.net azureedge.net azurefd.net azurewebsites.net
b-cdn.net backblazeb2.com blogspot.com cloudapp.net cloudfront.net cloudfunctions.net cluster.local ddns.net
digitaloceanspaces.com duckdns.org edgekey.net elasticbeanstalk.com fastly.net firebaseapp.com fly.dev github.io
githubusercontent.com gitlab.io glitch.me googleapis.com googleusercontent.com herokuapp.com hopto.org
linodeobjects.com netlify.app ngrok-free.app ngrok.app ngrok.io no-ip.org nip.io on.aws onrender.com pages.dev r2.dev
railway.app repl.co run.app sharepoint.com sslip.io storage.yandexcloud.net surge.sh trafficmanager.net
trycloudflare.com vercel.app wasabisys.com web.app windows.net wordpress.com workers.dev zapto.org
"""
_STRANGERS = frozenset(_ZONES.split())
"""Zones in which anybody can get a name, the largest of those in the Public Suffix List's private part: nothing below
them is folded. ``cluster.local`` is Kubernetes', where other rules hold."""
_SHORT_LABEL = 3  # a second label of no more characters is a registry's (co.uk, uk.com), not somebody's
_REGISTRIES_DEEP = frozenset({"jp", "us"})  # city.prefecture.jp, pvt.k12.ma.us

Peers = dict[ConnectBehaviour, Entry]


def fold_connects(entries: Mapping[ConnectBehaviour, Entry]) -> Mapping[ConnectBehaviour, Entry]:
    """Return ``entries`` folded; see ``folding.fold``."""
    kept: Peers = {}
    folding: Peers = {}
    for behaviour, entry in entries.items():
        ours = behaviour.protocol != "unix" and (bool(entry.examples) or not _is_pattern(behaviour))
        (folding if ours else kept)[behaviour] = entry
    return {**kept, **_into_areas(_into_ephemeral(folding))}


def _is_pattern(behaviour: ConnectBehaviour) -> bool:
    return behaviour.port == EPHEMERAL or "/" in behaviour.address or behaviour.address.startswith("*.")


def _into_ephemeral(entries: Peers) -> Peers:
    ports: dict[tuple[str, str], set[int]] = {}
    for behaviour in entries:
        if _is_ephemeral(behaviour.port):
            ports.setdefault((behaviour.protocol, behaviour.address), set()).add(behaviour.port)
    many = {peer for peer, seen in ports.items() if EPHEMERAL in seen or len(seen) >= MIN_PORTS}
    folded: Peers = {}
    for behaviour, entry in entries.items():
        wide = _is_ephemeral(behaviour.port) and (behaviour.protocol, behaviour.address) in many
        _put(folded, behaviour, entry, replace(behaviour, port=EPHEMERAL) if wide else behaviour)
    return folded


def _is_ephemeral(port: int) -> bool:
    return port == EPHEMERAL or port in _EPHEMERAL_PORTS


def _into_areas(entries: Peers) -> Peers:
    """Networks and zones. A port of the ephemeral range counts for none, but one that holds any holds it too."""
    members: dict[ConnectBehaviour, set[str]] = {}
    for behaviour in entries:
        area = area_of(behaviour.address)
        if area and behaviour.port not in _EPHEMERAL_PORTS:
            members.setdefault(replace(behaviour, address=area), set()).add(behaviour.address)
    many = {area for area, addresses in members.items() if len(addresses) >= _least(area.address, addresses)}
    folded: Peers = {}
    for behaviour, entry in entries.items():
        _put(folded, behaviour, entry, _wider(behaviour, many))
    return folded


def _least(area: str, addresses: set[str]) -> int:
    if area in addresses:
        return 0  # folded before
    return MIN_NAMES if area.startswith("*.") else MIN_ADDRESSES


def _wider(behaviour: ConnectBehaviour, many: set[ConnectBehaviour]) -> ConnectBehaviour:
    area = replace(behaviour, address=area_of(behaviour.address))
    if area in many:
        return area
    any_port = replace(area, port=EPHEMERAL)
    return any_port if behaviour.port in _EPHEMERAL_PORTS and any_port in many else behaviour


def _put(folded: Peers, behaviour: ConnectBehaviour, entry: Entry, wider: ConnectBehaviour) -> None:
    """Add ``entry`` under ``wider``, with an example of what it came from if that is a pattern now."""
    if wider != behaviour:
        entry = replace(entry, examples=entry.examples if _is_pattern(behaviour) else (_text(behaviour),))
    there = folded.get(wider)
    if there is not None:
        examples = smallest(there.examples, entry.examples)
        entry = replace(merge_entries(there, entry), examples=examples)
    folded[wider] = entry


def _text(behaviour: ConnectBehaviour) -> str:
    host = f"[{behaviour.address}]" if ":" in behaviour.address else behaviour.address
    return f"{host}:{behaviour.port}"


def covers(pattern: ConnectBehaviour, behaviour: ConnectBehaviour) -> bool:
    """Whether ``behaviour``, as it was before folding, is part of the folded ``pattern``."""
    port = behaviour.port == pattern.port or (pattern.port == EPHEMERAL and _is_ephemeral(behaviour.port))
    near = pattern.address in (behaviour.address, area_of(behaviour.address))
    return behaviour.protocol == pattern.protocol and port and near


def area_of(address: str) -> str:
    """Return the network or zone ``address`` could be folded into, "" if none; that of an area is itself."""
    if address.startswith("*."):
        return address if zone_of(f"x{address[1:]}") == address else ""
    if "/" in address:
        return address if network_of(address.partition("/")[0]) == address else ""
    return network_of(address) or zone_of(address)


def network_of(address: str) -> str:
    """Return the private /24 or /64 of ``address``, "" for a public address, and for text that is none."""
    family, length = (socket.AF_INET6, 8) if ":" in address else (socket.AF_INET, 3)
    try:
        packed = socket.inet_pton(family, address)
    except (OSError, ValueError):
        return ""
    if not any(_is_in(packed, network) for network in _PRIVATES):
        return ""
    start = socket.inet_ntop(family, packed[:length] + bytes(len(packed) - length))
    return "" if start.startswith(_METADATA) else f"{start}/{length * 8}"


def _parsed(network: str) -> tuple[int, int, int]:
    address, _, length = network.partition("/")
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    shift = len(packed) * 8 - int(length)
    return len(packed), shift, int.from_bytes(packed) >> shift


_PRIVATES = tuple(map(_parsed, _PRIVATE))


def _is_in(packed: bytes, network: tuple[int, int, int]) -> bool:
    size, shift, value = network
    return len(packed) == size and int.from_bytes(packed) >> shift == value


_CLUSTER_SERVICE = re.compile(r"[^.]+\.[^.]+\.[^.]+\.svc\.[^.]+(?:\.[^.]+)*")  # POD.SERVICE.NAMESPACE.svc.cluster.local


def zone_of(name: str) -> str:
    """Return the zone ``*.PARENT`` of a host name, "" if it has none or strangers have names there too."""
    _, dot, parent = name.partition(".")
    labels = parent.split(".")
    if not dot or not is_host_name(name):
        return ""
    if "svc" in labels:  # the pods of a service are alike, the services of a namespace are not
        return f"*.{parent}" if _CLUSTER_SERVICE.fullmatch(name) else ""
    if len(labels) < 2 or any(".".join(labels[place:]) in _STRANGERS for place in range(len(labels))):
        return ""
    return f"*.{parent}" if len(labels) >= _least_labels(labels) else ""


def _least_labels(labels: list[str]) -> int:
    """How many labels a zone must have to be somebody's own."""
    top, second = labels[-1], labels[-2]
    if top in _REGISTRIES_DEEP:
        return 4
    return 3 if len(top) == 2 or len(second) <= _SHORT_LABEL else 2
