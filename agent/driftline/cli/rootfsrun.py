"""A container from an unpacked image, run by runc: for build machines without an engine.

In: a root directory, a command. Out: an ``Engine``. The directory is not changed: a writable layer lies over it, which
is how the sensor tells the image's files from those written later. The network is the container's own loopback. Format
of config.json: OCI runtime-spec 1.0.2, config.md and config-linux.md. Next: ``containerrun``.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from driftline.cli.enginecommands import ID_BYTES, Engine, quietly
from driftline.errors import EngineError, HostError, SettingsError
from driftline.text import escape

_CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID"),
    *("CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"),
    "CAP_AUDIT_WRITE",
)
"""What engines give a container by default."""
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SAFE = ["nosuid", "noexec", "nodev"]
_MOUNTS: tuple[tuple[str, str, list[str]], ...] = (
    ("/proc", "proc", _SAFE),
    ("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
    ("/dev/shm", "tmpfs", [*_SAFE, "mode=1777", "size=65536k"]),
    ("/sys", "sysfs", [*_SAFE, "ro"]),
)
_MASKED = ["/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/proc/timer_list", "/sys/firmware"]
_NOT_IN_OPTIONS = frozenset(":,\\")  # separators of mount(8)'s options


class Runc(Engine):
    """runc with a bundle of ours."""

    name = "runc"
    tells_image = False

    def __init__(self, root: Path, directory: Path) -> None:
        self._lower, self._directory = root.resolve(), directory
        self._id = secrets.token_hex(ID_BYTES)
        if not self._lower.is_dir() or _NOT_IN_OPTIONS.intersection(f"{self._lower}{directory}"):
            raise SettingsError(f"--rootfs {escape(str(root))} is no directory, or has one of : , \\ in its name")
        if shutil.which("runc") is None:
            raise HostError("runc is not here", "install runc, or use an engine: --image")

    @property
    def _bundle(self) -> Path:
        return self._directory / "bundle"

    def run(self, words: list[str]) -> list[str]:
        """Mount, write the bundle."""
        if not words:
            raise SettingsError("an unpacked image does not say what to run", "--rootfs DIR -- COMMAND")
        for name in ("bundle/rootfs", "upper", "work"):
            (self._directory / name).mkdir(parents=True)
        self._mount()
        document = _config(words, f"/{self._id}")
        (self._bundle / "config.json").write_text(json.dumps(document), encoding="utf-8")
        return [*self._runc, "run", "--bundle", str(self._bundle), self._id]

    def identifier(self) -> str:
        """As we chose it."""
        return self._id

    def stop(self) -> list[str]:
        """Its init is told."""
        return [*self._runc, "kill", self._id, "TERM"]

    def clean(self) -> None:
        """Container, then what was mounted for it."""
        quietly([*self._runc, "delete", "--force", self._id])
        quietly(["umount", "--lazy", str(self._bundle / "rootfs")])

    @property
    def _runc(self) -> list[str]:
        return ["runc", "--root", str(self._directory / "state")]

    def _mount(self) -> None:
        options = f"lowerdir={self._lower},upperdir={self._directory}/upper,workdir={self._directory}/work"
        command = ["mount", "-t", "overlay", "-o", options, "overlay", str(self._bundle / "rootfs")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = escape(" ".join(done.stderr.split()))
            raise EngineError(f"no writable layer over {escape(str(self._lower))}: {said}", "TMPDIR on a disk, as root")


def _config(words: list[str], cgroup: str) -> dict[str, Any]:
    process = {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": words,
        "env": [_PATH, "HOME=/root"],
        "cwd": "/",
        "capabilities": {name: list(_CAPABILITIES) for name in ("bounding", "effective", "permitted")},
        "noNewPrivileges": False,
    }
    mounts = [
        {"destination": target, "type": kind, "source": kind, "options": options} for target, kind, options in _MOUNTS
    ]
    return {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "driftline",
        "mounts": mounts,
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": name} for name in ("pid", "ipc", "uts", "mount", "network")],
            "maskedPaths": _MASKED,
        },
    }
