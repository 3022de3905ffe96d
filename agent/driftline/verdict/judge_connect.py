"""Verdict on a connect.

In: a ``ConnectEvent``. Out: connect.metadata, connect.runtime_socket, connect.unknown, or expected.
"""

from __future__ import annotations

from driftline.baseline.behaviour import LOOPBACK, SELF, fold_address
from driftline.baseline.matching import Matcher
from driftline.nouns import ConnectEvent, Kind, RecordFlag, Severity, Subject
from driftline.verdict.outcome import EXPECTED, LEARN, LEARN_ONCE, Verdict, deviating

_ENTERED = int(RecordFlag.ENTERED)

METADATA_ADDRESSES = frozenset(
    {
        "169.254.169.254",  # AWS, Azure, Google Cloud, OpenStack, Oracle, DigitalOcean
        "169.254.170.2",  # AWS ECS task credentials
        "169.254.170.23",  # AWS EKS pod identity
        "fd00:ec2::254",  # AWS over IPv6
        "fd00:ec2::23",  # AWS EKS pod identity over IPv6
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure WireServer
        "169.254.0.23",  # Tencent Cloud
    }
)
_RUNTIME_SOCKETS = frozenset(
    {
        "docker.sock",
        "dockerd.sock",
        "containerd.sock",
        "containerd.sock.ttrpc",
        "crio.sock",
        "podman.sock",
        "cri-dockerd.sock",
        "dockershim.sock",
        "kubelet.sock",
        "frakti.sock",
    }
)


def judge_connect(
    event: ConnectEvent, subject: Subject, matcher: Matcher, learning: bool, own: frozenset[str]
) -> Verdict:
    """Return the verdict on a connect; ``own`` holds the container's own addresses."""
    address = fold_address(event.address, event.family, own)
    if (event.protocol, address, event.port) in matcher.connects:
        return LEARN if learning else EXPECTED
    what = _name(event, address)
    if address in METADATA_ADDRESSES:
        why = "the cloud's metadata service hands out the node's credentials"
        return deviating(Kind.CONNECT_METADATA, event, subject, what, why)
    if event.family == "unix" and address[address.rfind("/") + 1 :] in _RUNTIME_SOCKETS:
        why = "whoever speaks to the container runtime owns the node"
        return deviating(Kind.CONNECT_RUNTIME_SOCKET, event, subject, what, why)
    if learning:
        return LEARN_ONCE if event.flags & _ENTERED else LEARN
    near = event.family == "unix" or address in {LOOPBACK, SELF}
    why = "it never did while the image was learned"
    return deviating(Kind.CONNECT_UNKNOWN, event, subject, what, why, Severity.LOW if near else None)


def _name(event: ConnectEvent, address: str) -> str:
    """``10.0.0.1:443/tcp``, ``[fd00::1]:53/udp``, or the path of a Unix socket."""
    if event.family == "unix":
        return address or "an unnamed Unix socket"
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{event.port}/{event.protocol}"
