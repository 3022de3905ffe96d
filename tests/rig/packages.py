"""A root file system of distribution packages, with the package database that inventories read.

In: package names. Out: a layer directory in the cache with the packages, their dependencies, and
/var/lib/dpkg/{status,info}. Why not mmdebstrap: 20 to 75 s and maintainer scripts; unpacking takes three. Documentation
is left out, as in Debian's slim images. The layer stays as first built until the cache is deleted: package updates do
not change an image under a test. Source of the database's form: dpkg(1), deb(5), dpkg-query(1). Next: ``images``.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from rig import session

_LEFT_OUT = ("doc", "man", "locale", "info", "lintian", "doc-base")  # below /usr/share
_MERGED = ("bin", "sbin", "lib", "lib64")  # links to the same below /usr, as Debian 12 installs them


def layer(names: Sequence[str]) -> Path:
    """Directory with ``names``, what they depend on, and the database; downloads at the first call (apt's sources)."""
    digest = hashlib.sha256(repr((sorted(names), _LEFT_OUT, _MERGED)).encode()).hexdigest()[:16]
    return session.cached(f"packages-{digest}", lambda half: _build(names, half))


def _build(names: Sequence[str], root: Path) -> None:
    for name in _MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    with tempfile.TemporaryDirectory(prefix="packages-", dir=root.parent) as work:
        _install(sorted(_download(names, Path(work))), root, Path(work))
    for name in _LEFT_OUT:
        shutil.rmtree(root / "usr" / "share" / name, ignore_errors=True)


def _download(names: Sequence[str], work: Path) -> Iterable[Path]:
    """Archives of ``names`` and all they depend on: apt is told that nothing is installed."""
    archives = work / "archives"
    (archives / "partial").mkdir(parents=True)
    (work / "status").touch()
    options = {
        "Dir::State::status": work / "status",
        "Dir::Cache::archives": archives,
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
        "Acquire::Retries": "3",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    command = ("apt-get", "-q", "-y", *words, "--no-install-recommends", "--download-only", "install", *names)
    try:
        _run(*command)
    except RuntimeError:  # no package lists yet, or lists so old that their packages are gone from the mirror
        _run("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", "update")
        _run(*command)
    return archives.glob("*.deb")


def _install(archives: Sequence[Path], root: Path, work: Path) -> None:
    database = root / "var" / "lib" / "dpkg"
    (database / "info").mkdir(parents=True)
    records = []
    for archive in archives:
        _extract(archive, root)
        record = _run("dpkg-deb", "--field", archive)
        records.append(_installed(record))
        _info(archive, record, database / "info", work / "control")
    (database / "status").write_text("\n".join(records))
    (database / "available").touch()


def _extract(archive: Path, root: Path) -> None:
    """As dpkg itself does: through the links of the merged /usr, which ``dpkg-deb --extract`` would replace."""
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True, check=True).stdout
    command = ["tar", "--extract", "--preserve-permissions", "--keep-directory-symlink", "--directory", str(root)]
    subprocess.run(command, input=tar, check=True)


def _installed(record: str) -> str:
    """A control record as the status file has it: the state follows the name."""
    name, rest = record.split("\n", 1)
    return f"{name}\nStatus: install ok installed\n{rest}"


def _info(archive: Path, record: str, info: Path, control: Path) -> None:
    """NAME.list, NAME.md5sums and the scripts; packages that may be there for two architectures carry theirs."""
    fields = dict(line.split(": ", 1) for line in record.splitlines() if ": " in line and not line.startswith(" "))
    same = fields.get("Multi-Arch") == "same"
    name = f"{fields['Package']}:{fields['Architecture']}" if same else fields["Package"]
    _run("dpkg-deb", "--control", archive, control)
    for file in control.iterdir():
        if file.name != "control":
            shutil.copy2(file, info / f"{name}.{file.name}")
    shutil.rmtree(control)
    (info / f"{name}.list").write_text("".join(f"{path}\n" for path in _paths(archive)))


def _paths(archive: Path) -> list[str]:
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True, check=True).stdout
    listed = subprocess.run(["tar", "--list"], input=tar, capture_output=True, check=True).stdout.decode()
    return ["/." if path == "./" else path.removeprefix(".").removesuffix("/") for path in listed.splitlines()]


def _run(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
