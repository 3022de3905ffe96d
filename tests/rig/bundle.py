"""The config.json of a container, as the OCI runtime specification wants it.

In: ``ContainerOptions``. Out: a dict for runc. Why not ``runc spec``: rootless oddities, and tests must know every
mount. Source: opencontainers/runtime-spec 1.0.2, config.md and config-linux.md. Next: ``runc``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# What Docker and containerd give a container by default (containerd: oci.defaultUnixCaps).
DEFAULT_CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID"),
    *("CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"),
    "CAP_AUDIT_WRITE",
)
# No seccomp profile: io_uring and open_by_handle_at must get through.
_NAMESPACES = ("pid", "ipc", "uts", "mount")
_MOUNTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")),
    ("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")),
    ("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """What may differ between containers. Paths inside the container are ``str``, on the host ``Path``."""

    init: Sequence[str] = ("/work/idle",)
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": "/bin:/usr/bin:/sbin:/usr/sbin"})
    volumes: Mapping[str, Path] = field(default_factory=dict)  # bind mounts: path in the container → path on the host
    tmpfs: Sequence[str] = ()  # paths in the container
    host_network: bool = False  # False: its own network namespace with only loopback, up
    capabilities: Sequence[str] = DEFAULT_CAPABILITIES
    uid: int = 0
    cwd: str = "/"
    terminal: bool = False


def config(options: ContainerOptions, rootfs: Path, cgroup: str) -> dict[str, object]:
    """Return config.json's content for a container with its root at ``rootfs`` in ``cgroup`` ("/node/x")."""
    names = _NAMESPACES if options.host_network else (*_NAMESPACES, "network")
    return {
        "ociVersion": "1.0.2",
        "process": _process(options),
        "root": {"path": str(rootfs), "readonly": False},
        "hostname": "rig",
        "mounts": _mounts(options),
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": name} for name in names],
            "resources": {"devices": [{"allow": True, "access": "rwm"}]},
        },
    }


def _process(options: ContainerOptions) -> dict[str, object]:
    sets = ("bounding", "effective", "permitted")
    return {
        "terminal": options.terminal,
        "user": {"uid": options.uid, "gid": options.uid},
        "args": list(options.init),
        "env": [f"{name}={value}" for name, value in options.environment.items()],
        "cwd": options.cwd,
        "capabilities": {name: list(options.capabilities) for name in sets},
        "noNewPrivileges": False,
    }


def _mounts(options: ContainerOptions) -> list[dict[str, object]]:
    basic = [_mount(target, kind, source, flags) for target, kind, source, flags in _MOUNTS]
    volumes = [_mount(target, "bind", str(source), ("rbind", "rw")) for target, source in options.volumes.items()]
    temporary = [_mount(target, "tmpfs", "tmpfs", ("nosuid", "nodev", "mode=1777")) for target in options.tmpfs]
    return basic + volumes + temporary


def _mount(target: str, kind: str, source: str, flags: Sequence[str]) -> dict[str, object]:
    return {"destination": target, "type": kind, "source": source, "options": list(flags)}
