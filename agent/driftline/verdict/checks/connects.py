"""Checks of a connect.

In: a ``ConnectEvent`` the baseline does not hold, the names of its address, the program. Out: the check it fails, or
None. Ports alone are weak evidence, so only few count, and only towards public addresses. Next: ``judge_connect``.
"""

from __future__ import annotations

from collections.abc import Iterable

from driftline.identify.addresses import METADATA_ADDRESSES
from driftline.nouns import ConnectEvent, ExecImage, Severity
from driftline.verdict.checks.interpreters import base_name, names_in
from driftline.verdict.checks.table import DESTINATION, KUBERNETES, METADATA, NODE, Hit, hit

_RUNTIME_SOCKETS = names_in("""
    docker.sock dockerd.sock containerd.sock containerd.sock.ttrpc crio.sock podman.sock cri-dockerd.sock
    dockershim.sock kubelet.sock frakti.sock
""")

_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"})
_API_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
_API_PORT = 6443
_MINING_PORTS = frozenset({3333, 4444, 14433, 14444, 45560, 45700})
"""Ports of mining pools that hardly anything else uses."""
_POOLS = (
    *(".nanopool.org", ".minexmr.com", ".supportxmr.com", ".moneroocean.stream", ".hashvault.pro", ".c3pool.com"),
    *(".c3pool.org", ".herominers.com", ".2miners.com", ".f2pool.com", ".nicehash.com", ".minergate.com"),
    *(".ethermine.org", ".unmineable.com", ".xmrpool.eu", ".dwarfpool.com", ".kryptex.network", ".monerohash.com"),
    *(".miningocean.org", ".zergpool.com", ".antpool.com", ".viabtc.com", ".poolin.com", ".p2pool.io"),
)
_SSH_CLIENTS = frozenset({"ssh", "dbclient"})
_SSH, _SMTP = 22, 25
_PRIVATE = (
    *("10.", "192.168.", "169.254.", "127.", "fc", "fd", "fe80:"),
    *(f"172.{second}." for second in range(16, 32)),
    *(f"100.{second}." for second in range(64, 128)),  # carrier-grade NAT: clouds use it inside (RFC 6598)
)
"""Prefixes of addresses that are not the Internet's (RFC 1918, 3927, 4193, 4291)."""


def check_connect(event: ConnectEvent, address: str, names: Iterable[str], image: ExecImage | None) -> Hit | None:
    """Return the check the connect fails; ``address`` is folded, ``image`` the program if it is known."""
    if event.family == "unix":
        if address[address.rfind("/") + 1 :] in _RUNTIME_SOCKETS:
            return hit(NODE, "whoever speaks to the container runtime owns the node")
        return None
    if address in METADATA_ADDRESSES or not _METADATA_NAMES.isdisjoint(names):
        return hit(METADATA)
    if event.port == _API_PORT or any(_is_api(name) for name in names):
        return hit(KUBERNETES, "it speaks to the Kubernetes API", own=True)
    return _destination(event, address, names, image)


def _is_api(name: str) -> bool:
    return name in _API_NAMES or name.startswith("kubernetes.default.svc.")


def _destination(event: ConnectEvent, address: str, names: Iterable[str], image: ExecImage | None) -> Hit | None:
    if any(f".{name}".endswith(_POOLS) for name in names):
        return hit(DESTINATION, "the address is a mining pool's", Severity.CRITICAL)
    if event.protocol != "tcp":
        return None
    if image is not None and event.port != _SSH and base_name(image.path) in _SSH_CLIENTS:
        return hit(DESTINATION, "an SSH client left for another port than SSH's", technique="T1021.004")
    if not _is_public(address):
        return None
    if event.port in _MINING_PORTS:
        return hit(DESTINATION, "mining pools listen on this port")
    if event.port == _SMTP:
        return hit(DESTINATION, "it sends mail past the mail server", technique="T1071.003")
    return None


def _is_public(address: str) -> bool:
    return ("." in address or ":" in address) and not address.startswith(_PRIVATE)
