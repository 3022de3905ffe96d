"""Every setting of the agent, with unit, default and reason.

In: nothing. Out: ``Settings``, a plain dataclass: the agent process never imports pydantic; the CLI validates with
``pydantic.TypeAdapter(Settings)`` before it becomes the agent. Next: ``lifecycle``.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen

WATCHED_ROOTS = ("kubepods", "kubepods.slice", "docker", "default", "libpod_parent", "k8s.io", "moby", "machine.slice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one agent. Times in seconds unless the name says otherwise."""

    node: Annotated[str, MinLen(1)] = field(default_factory=socket.gethostname)
    """Name of this node in deviations. Default: the host's name."""
    state_dir: str = "/var/lib/driftline"
    """Where baselines and learning state are kept."""
    collector: str = ""
    """HOST:PORT of the collector; empty means standalone: deviations go to standard output as JSON lines."""
    watched_roots: tuple[str, ...] = WATCHED_ROOTS
    """Top-level cgroup2 directories whose every descendant is a container, whatever its name. Cgroups with a 64-digit
    container id in their name are watched wherever they are."""
    learn_seconds: Annotated[float, Ge(0)] = 300.0
    """Shortest first-run learning window of an image. 5 minutes: covers start-up and the first cron-like tasks."""
    learn_quiet_seconds: Annotated[float, Ge(0)] = 60.0
    """Learning goes on until nothing new was seen for this long."""
    fold_seconds: Annotated[float, Ge(0), Le(3600)] = 60.0
    """Repeats of one deviation within this window are folded into one with a count."""
    ring_bytes: Annotated[int, Ge(65536)] = 4 * 1024 * 1024
    """Size of the ring for opens and loads, a power of two. 4 MiB hold about 16 000 records: a third of a second at the
    rate the agent sustains. The kernel maps a ring twice, so it counts double in the agent's resident memory."""
    open_rate: Annotated[int, Ge(1)] = 60_000
    """Novel opens per second one container may send up before it is held back (and counted)."""
    exec_rate: Annotated[int, Ge(1)] = 5_000
    """Novel execs and connects per second one container may send up before it is held back (and counted)."""
    identify_seconds: Annotated[float, Ge(0.1), Le(60)] = 3.0
    """How long events wait for the engine to name their container before they go on as ``image unknown``."""
    hash_bytes: Annotated[int, Ge(0)] = 64 * 1024 * 1024
    """Largest executable whose SHA-256 is computed for a deviation."""
    heartbeat_seconds: Annotated[float, Ge(0.5)] = 10.0
    """How often losses and counters are sent to the collector."""
    open_provider: Literal["auto", "lsm", "fentry", "sys_exit"] = "auto"
    """Hook for opens: auto, lsm, fentry, sys_exit."""
    containerd_socket: str = "/run/containerd/containerd.sock"
    """Socket of containerd, asked for names and image digests. One that is not there is not asked."""
    docker_socket: str = "/var/run/docker.sock"
    """Socket of the Docker Engine, likewise."""
    podman_root: str = "/var/lib/containers/storage"
    """Storage of the system's Podman (and CRI-O), read as files: Podman has no daemon. Rootless storage is not read."""
    crio_socket: str = "/var/run/crio/crio.sock"
    """Socket of CRI-O, likewise."""
    report_queue: Annotated[int, Ge(1)] = 10_000
    """Deviations waiting for the collector in memory; beyond it the oldest of the lowest severity goes, counted."""


def from_json(values: dict[str, Any]) -> Settings:
    """Settings that were validated and serialised by the CLI."""
    fields: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}
    return Settings(**fields)
