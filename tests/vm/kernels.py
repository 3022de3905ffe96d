"""Debian's cloud kernels as files: small, with virtiofs, built for virtual machines.

In: a series such as "6.12". Out: the newest package of it that this machine's apt sources offer, downloaded once and
unpacked below .cache/kernels, never installed. Next: ``machine``.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from rig import session

SERIES = ("5.10", "6.1", "6.12", "6.18")
CACHE = session.REPOSITORY / ".cache" / "kernels"
_PACKAGE = re.compile(r"^linux-image-(\d+\.\d+)\.(\d+)(\S*)-cloud-amd64 ")


def newest(series: str) -> str | None:
    """Name of the newest cloud kernel package of ``series``, None when the sources have none."""
    listed = subprocess.run(
        ["apt-cache", "search", "--names-only", "linux-image-.*-cloud-amd64$"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = [match for line in listed.splitlines() if (match := _PACKAGE.match(line)) and match[1] == series]
    best = max(
        found, key=lambda match: [int(number) for number in re.findall(r"\d+", match[2] + match[3])], default=None
    )
    return best[0].strip() if best else None


def unpacked(package: str) -> Path:
    """Directory with boot/ and lib/modules/ of ``package``. Raises CalledProcessError when apt cannot fetch it."""
    target = CACHE / package
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", package], cwd=CACHE, check=True)
        deb = next(CACHE.glob(f"{package}_*.deb"))
        half = CACHE / f"{package}.half"
        subprocess.run(["dpkg-deb", "-x", deb, half], check=True)
        if not (half / "lib").exists():
            (half / "lib").symlink_to("usr/lib")  # from trixie on everything is below /usr
        subprocess.run(["depmod", "-b", half, _version(half)], check=True)
        half.rename(target)
        deb.unlink()
    return target


def _version(kernel: Path) -> str:
    return next((kernel / "lib" / "modules").iterdir()).name


def image(kernel: Path) -> Path:
    """The bootable kernel."""
    return next((kernel / "boot").glob("vmlinuz-*"))


def module_files(kernel: Path, names: tuple[str, ...]) -> list[Path]:
    """Files of the modules and of what they need, in loading order, each once. What is built in has none."""
    files: list[Path] = []
    for name in names:
        told = subprocess.run(
            ["modprobe", "-d", kernel, "-S", _version(kernel), "--show-depends", name],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        files += [Path(line.split()[1]) for line in told.splitlines() if line.startswith("insmod ")]
    return list(dict.fromkeys(files))
