"""Kubernetes NetworkPolicy (networking.k8s.io/v1): egress to what a baseline connects to.

In: what a baseline allows, labels of the pods. Out: YAML. Format: the Kubernetes API reference, NetworkPolicy v1. Next:
``kubectl apply``.
"""

from __future__ import annotations

from typing import Any

from driftline.baseline.export.common import (
    Allowed,
    Effect,
    Exported,
    ExportError,
    Gaps,
    Wanted,
    commented,
    head,
    name_of,
    to_yaml,
)
from driftline.baseline.export.peers import (
    FIRST_EPHEMERAL,
    LAST_EPHEMERAL,
    Peer,
    Place,
    Port,
    by_ports,
    is_port,
    peer_of,
)
from driftline.nouns import EPHEMERAL

_PROTOCOLS = {"tcp": "TCP", "udp": "UDP", "sctp": "SCTP"}
_DNS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def export(found: Allowed, wanted: Wanted) -> Exported:
    """Return the policy. Raises ExportError without labels: an empty selector means every pod of the namespace."""
    if not wanted.labels:
        raise ExportError("a NetworkPolicy must say which pods it is for", "--selector app=web")
    gaps = Gaps()
    peers = [peer for peer in map(peer_of, found.connects) if _is_sayable(peer, gaps)]
    rules = [
        {"to": [{"ipBlock": {"cidr": str(network)}} for network in networks], "ports": [_port(port) for port in ports]}
        for ports, networks in by_ports(peers).items()
    ]
    if any(peer.place in (Place.RESOLVER, Place.NAME) for peer in map(peer_of, found.connects)):
        gaps.add("DNS is allowed to any server: a policy does not know the pod's resolv.conf", Effect.WIDER)
        rules.append({"ports": _DNS})
    gaps.add("programs, files and libraries: a NetworkPolicy is about the network alone", Effect.UNSAID)
    gaps.add("what comes in: a baseline holds no listening", Effect.UNSAID)
    gaps.add("addresses of Services: most network plugins compare the pod's address behind them", Effect.NARROWER)
    document = _document(found, wanted, rules)
    return Exported(commented(head(found, "networkpolicy", gaps.all())) + to_yaml(document), gaps.all())


def _document(found: Allowed, wanted: Wanted, rules: list[Any]) -> dict[str, Any]:
    namespace = wanted.namespace or found.baseline.workload.partition("/")[0]
    metadata = {"name": name_of(found.baseline, wanted)} | ({"namespace": namespace} if namespace else {})
    spec = {"podSelector": {"matchLabels": dict(wanted.labels)}, "policyTypes": ["Egress"], "egress": rules}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _is_sayable(peer: Peer, gaps: Gaps) -> bool:
    match peer.place:
        case Place.UNIX:
            gaps.add("Unix sockets", Effect.UNSAID, peer.behaviour.address)
        case Place.LOOPBACK | Place.SELF:
            gaps.add("connects that never leave the pod", Effect.UNSAID, peer.text)
        case Place.NAME:
            gaps.add(
                "connects to host names, refused: add their addresses, or use a plugin that knows names",
                Effect.NARROWER,
                peer.text,
            )
        case Place.NETWORK if peer.behaviour.protocol not in _PROTOCOLS or not is_port(peer.port):
            gaps.add(
                "connects of protocols or ports a NetworkPolicy does not know, refused", Effect.NARROWER, peer.text
            )
        case Place.NETWORK:
            return True
    return False


def _port(port: Port) -> dict[str, Any]:
    protocol, number = port
    if number == EPHEMERAL:
        return {"protocol": _PROTOCOLS[protocol], "port": FIRST_EPHEMERAL, "endPort": LAST_EPHEMERAL}
    return {"protocol": _PROTOCOLS[protocol], "port": number}
