"""A network namespace with one veth pair to the host: a container that has an address of its own, without CNI.

In: a /30 prefix. Out: the namespace's file and both addresses. Why own files and not ``ip netns``: that leaves
/run/netns mounted for ever. Next: ``containerd`` (``--with-ns network:FILE``) and the demo.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rig import mounts, session


@dataclass(frozen=True, slots=True)
class Network:
    """``namespace``: its file; ``host``: our address, ``inside``: the container's."""

    namespace: Path
    host: str
    inside: str


@contextlib.contextmanager
def veth(third_octet: int = os.getpid() % 250 + 1) -> Iterator[Network]:
    """A namespace with ``10.231.N.2/30`` inside and ``10.231.N.1`` on the host; no route leads further."""
    directory = session.scratch("net")
    outer, prefix = f"dlv{os.getpid() % 10**8}", f"10.231.{third_octet}"
    network = Network(directory / "netns", f"{prefix}.1", f"{prefix}.2")
    with contextlib.ExitStack() as undo:
        undo.callback(mounts.discard, directory)
        network.namespace.touch()
        _run("unshare", f"--net={network.namespace}", "true")
        undo.callback(_run, "ip", "link", "del", outer)
        _connect(network, outer)
        yield network


def _connect(network: Network, outer: str) -> None:
    # The inner end is made inside at once: moved there later, it would first appear on the host under its name.
    inside = ("nsenter", f"--net={network.namespace}", "ip")
    with network.namespace.open() as namespace:
        peer = ("peer", "name", "eth0", "netns", f"/proc/{os.getpid()}/fd/{namespace.fileno()}")
        _run("ip", "link", "add", outer, "type", "veth", *peer)
    _run("ip", "address", "add", f"{network.host}/30", "dev", outer)
    _run("ip", "link", "set", outer, "up")
    _run(*inside, "address", "add", f"{network.inside}/30", "dev", "eth0")
    _run(*inside, "link", "set", "eth0", "up")
    _run(*inside, "link", "set", "lo", "up")


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")
