"""Root file systems as a Dockerfile makes them: Debian's smallest, then ``apt-get install`` with maintainer scripts.

In: package names, files on top. Out: a directory in the rig's cache that serves as an image's layer. Why not
``rig.packages``: that only unpacks; users, configuration, /etc/ld.so.cache and PostgreSQL's cluster come from the
packages' own scripts, and a baseline must look as it does for somebody else's image. Next: ``image``.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from rig import session

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
_SOURCES = f"""deb {MIRROR} {SUITE} main
deb {MIRROR} {SUITE}-updates main
deb http://deb.debian.org/debian-security {SUITE}-security main
"""
_LEFT_OUT = ("var/cache/apt", "var/lib/apt/lists", "var/log/apt", "usr/share/doc", "usr/share/man", "usr/share/locale")
_STUBS = {"etc/resolv.conf": "", "etc/hostname": "server\n", "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n"}
_APT = "etc/apt/apt.conf.d/05site"
_NO_WAIT = 'APT::Periodic::RandomSleep "0";\n'  # apt's cron job waits for up to half an hour otherwise
_NO_START = "#!/bin/sh\nexit 101\n"  # policy-rc.d: what is installed is not started


def base() -> Path:
    """Debian without anything that is not essential, as of the first call; some 60 s then."""
    return session.cached(f"debian-{SUITE}", _debootstrap)


def root(packages: Sequence[str]) -> Path:
    """``base`` with ``packages`` installed and configured, as of the first call."""
    wanted = hashlib.sha256(repr((sorted(packages), SUITE, _LEFT_OUT, _STUBS)).encode()).hexdigest()[:16]
    start = base()  # before the cache's lock is taken
    return session.cached(f"server-{wanted}", lambda half: _install(start, packages, half))


def _debootstrap(half: Path) -> None:
    _run("debootstrap", "--variant=minbase", SUITE, str(half), MIRROR)


def _install(start: Path, packages: Sequence[str], half: Path) -> None:
    _run("cp", "-a", f"{start}/.", str(half))
    (half / "etc/apt/sources.list").write_text(_SOURCES)
    shutil.copy2("/etc/resolv.conf", half / "etc/resolv.conf")
    policy = half / "usr/sbin/policy-rc.d"
    policy.write_text(_NO_START)
    policy.chmod(0o755)
    with _kernel_mounts(half):
        _chroot(half, "apt-get", "-q", "update")
        _chroot(half, "apt-get", "-q", "-y", "dist-upgrade")
        _chroot(half, "apt-get", "-q", "-y", "--no-install-recommends", "install", *packages)
    policy.unlink()
    for name in _LEFT_OUT:
        shutil.rmtree(half / name, ignore_errors=True)
    for name, text in {**_STUBS, _APT: _NO_WAIT}.items():
        (half / name).write_text(text)


@contextlib.contextmanager
def _kernel_mounts(root: Path) -> Iterator[None]:
    """What maintainer scripts expect; in a mount namespace's stead, undone in any case."""
    made: list[Path] = []
    try:
        for kind, name in (("proc", "proc"), ("tmpfs", "dev/shm")):
            (root / name).mkdir(exist_ok=True)
            _run("mount", "-t", kind, kind, str(root / name))
            made.append(root / name)
        yield
    finally:
        for place in reversed(made):
            _run("umount", "--lazy", str(place))


def _chroot(root: Path, *argv: str) -> None:
    clean = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
    _run(*clean, "chroot", str(root), *argv)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()[-2000:] or done.stdout.strip()[-2000:]}")
