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
    """Where baselines, learning state and the spool are kept."""
    collector: str = ""
    """HOST:PORT of the collector, or several with commas between: when one fails the next is tried. Empty means
    standalone: deviations go to standard output as JSON lines."""
    tls_ca: str = ""
    """PEM file with the CA of the collector's certificate. Needed for a collector on another machine."""
    tls_cert: str = ""
    """PEM file with this agent's certificate, which says which node it is (docs/access.md). Read again when it
    changes."""
    tls_key: str = ""
    """PEM file with its private key, which nobody else may read."""
    insecure_plaintext: bool = False
    """Report to a collector on another machine unencrypted. Everybody on the way can read, change and forge
    deviations: only for trying out; said aloud at every start."""
    watched_roots: tuple[str, ...] = WATCHED_ROOTS
    """Top-level cgroup2 directories whose every descendant is a container, whatever its name. Cgroups with a 64-digit
    container id in their name are watched wherever they are."""
    learn_seconds: Annotated[float, Ge(0)] = 300.0
    """Shortest first-run learning window of an image. 5 minutes: covers start-up and the first cron-like tasks."""
    learn_quiet_seconds: Annotated[float, Ge(0)] = 60.0
    """Learning goes on until nothing new was seen for this long."""
    promote_after_days: Annotated[float, Ge(0), Le(3650)] = 0.0
    """Promote a learned baseline without a person once it did not change for so long, is complete and has nothing that
    waits for review. 0: never, the default: an active baseline says that somebody looked."""
    promote_min_containers: Annotated[int, Ge(1), Le(64)] = 2
    """Containers such a baseline must have been learned from: what one container did alone may be its accident."""
    keep_baselines_days: Annotated[float, Ge(1), Le(3650)] = 180.0
    """Baselines of images that did not run here for so long are removed. Promoted and signed ones stay until they are
    retired. Half a year: an image that comes back later has changed."""
    require_signatures: bool = False
    """Let only baselines come into force that trusted keys signed (docs/signing.md). Anything else is refused, told as
    ``baseline.refused``, and the last good one stays in force."""
    trust_dir: str = ""
    """Directory with the public keys that are trusted, a PEM file each (``.pem`` or ``.pub``); empty means ``trust`` in
    the state directory. Read again when it changes."""
    signature_threshold: Annotated[int, Ge(1), Le(16)] = 1
    """How many of the trusted keys must have signed a baseline."""
    collector_baselines: Literal["signed", "any", "no"] = "signed"
    """Which baselines and revocations are taken from the collector (docs/fleet.md): those that as many trusted keys
    signed as ``signature_threshold`` says; any, unless signatures are required; or no. With ``no``, nothing that this
    node learned is sent to it, either."""
    fold_seconds: Annotated[float, Ge(0), Le(3600)] = 60.0
    """Repeats of one deviation within this window are folded into one with a count."""
    deviation_rate: Annotated[int, Ge(0), Le(100_000)] = 100
    """Deviations of one kind that one container may have told by the second, after ten times as many at once. Those
    beyond it are counted and told as one, so that a storm in one container does not make the others' late. 0: no
    limit."""
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
    heartbeat_seconds: Annotated[float, Ge(0.5), Le(20)] = 10.0
    """How often losses and counters are sent to the collector. Three within the minute after which it takes an agent
    for silent."""
    http: str = "127.0.0.1:4790"
    """HOST:PORT where ``/healthz``, ``/readyz`` and ``/metrics`` are shown; empty: nowhere. They tell figures, nothing
    of what containers did."""
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
    """Deviations waiting in memory; beyond it the oldest of the lowest severity goes, counted. With a collector they
    wait on disk (``spool_bytes``) and here only while the disk refuses."""
    spool_bytes: Annotated[int, Ge(16 * 1024 * 1024), Le(4 * 1024 * 1024 * 1024)] = 256 * 1024 * 1024
    """Most that deviations waiting for the collector take in ``state_dir/spool``; beyond it the oldest of the lowest
    severity go, counted. 256 MiB hold about 300 000: an hour of 80 a second."""
    spool_days: Annotated[float, Ge(0.01), Le(3650)] = 7.0
    """Deviations that wait longer go, counted. Time while the node is down does not count."""
    spool_fsync: Literal["always", "batch", "never"] = "batch"
    """When a deviation on disk is safe from a power failure: before it is sent (always: each waits for the disk), soon
    (batch), or when the kernel likes (never). From a crash of the agent it is safe at once."""
    spool_fsync_ms: Annotated[int, Ge(1), Le(60_000)] = 100
    """What a power failure may lose with ``spool_fsync: batch``, in milliseconds. 100: ten syncs a second at most."""
    inventory: bool = True
    """Read an image's own package database from its layers when a container of it starts, so that deviations say which
    package a file belongs to. Once per image, in a niced child process."""
    expect_package_reads: bool = True
    """Expect reads of unmodified files that a package in use ships, learned or not; sensitive ones never are."""
    sbom_dir: str = ""
    """Directory with SBOMs named after the digest of their image (``sha256-….json``); empty means none."""
    syft: bool = False
    """Let Syft make an SBOM of each image that has none in ``sbom_dir``: about a minute of one core per image, niced.
    It finds packages the image's own databases do not list."""


def from_json(values: dict[str, Any]) -> Settings:
    """Settings that were validated and serialised by the CLI."""
    fields: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}
    return Settings(**fields)
