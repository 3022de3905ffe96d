"""The container image of a server: Debian with its packages below, its configuration on top.

In: a ``Server``. Out: an OCI image, and its files as directories. Two ways to start: the server alone, as its own image
would (starter baselines), or under a shell that also runs what it is ordered to, as cron or an intruder does
(measurements). Next: ``stand``.
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import rootfs
from benchmarks.servers.server import Server

from rig import images

ORDERS = "/orders"
_ENTRY = """#!/bin/sh
{start} &
server=$!
while :; do
  while read -r line; do
    (eval "$line") > /dev/null 2>&1
    echo done > /orders/out
  done < /orders/in
done
"""
UNOWNED, MODIFIED, PLANS = "/opt/tool/agent", "/usr/bin/shuf", "/opt/plans"
"""What an attack on the image itself left there: a program no package owns, one that is not the package's any more."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The files of an image: ``lower`` in the cache, never changed; ``upper`` the caller's."""

    lower: Path
    upper: Path

    def directory(self, path: str) -> Path:
        """The host's name of a directory of the image."""
        found = self.lower / path.lstrip("/")
        return found if found.exists() else self.upper / path.lstrip("/")

    def has(self, path: str) -> bool:
        """Whether the packages have it."""
        return (self.lower / path.lstrip("/")).exists()

    def uid(self, user: str) -> int:
        """The number of a user of the image."""
        lines = (line.split(":") for line in (self.lower / "etc/passwd").read_text().splitlines())
        return next(int(fields[2]) for fields in lines if fields[0] == user) if user else 0


def layers(server: Server, upper: Path, *, ordered: bool) -> Layers:
    """Fill ``upper``, a new directory, with what goes on top of the server's packages."""
    made = Layers(rootfs.root([*server.packages, "cron", "logrotate"]), upper)
    for path, text in server.files.items():
        _write(made, path, text)
    for path, (old, new) in server.edits.items():
        _write(made, path, (made.lower / path.lstrip("/")).read_text().replace(old, new))
    for path in (*server.volumes, ORDERS):
        _directory(made, path)
    if ordered:
        _write(made, "/entry", _ENTRY.format(start=_as_user(server)))
        (upper / "entry").chmod(0o755)
        _implant(made)
    return made


def build(server: Server, made: Layers, target: Path, *, ordered: bool) -> images.Image:
    """Write the image to ``target``."""
    options = images.ImageOptions(
        entrypoint=["/entry"] if ordered else server.start,
        environment=server.environment,
        user="" if ordered else server.user,
    )
    return images.build(f"localhost/{server.name}:1", [made.lower, made.upper], options, target)


def _as_user(server: Server) -> str:
    start = shlex.join(server.start)
    if not server.user:
        return start
    return f"/usr/bin/setpriv --reuid={server.user} --regid={server.user} --init-groups {start}"


def _write(made: Layers, path: str, text: str) -> None:
    file = made.upper / path.lstrip("/")
    _directory(made, str(Path(path).parent))
    file.write_text(text)
    file.chmod(0o644)


def _directory(made: Layers, path: str) -> None:
    """With owner and mode as the packages have it: a layer's directory replaces those below."""
    for part in reversed([Path(path), *Path(path).parents[:-1]]):
        place, below = (layer / str(part).lstrip("/") for layer in (made.upper, made.lower))
        place.mkdir(exist_ok=True)
        if below.exists():
            shutil.copystat(below, place)
            shutil.chown(place, below.stat().st_uid, below.stat().st_gid)


def _implant(made: Layers) -> None:
    for path, source in ((UNOWNED, "/usr/bin/true"), (MODIFIED, MODIFIED)):
        _directory(made, str(Path(path).parent))
        shutil.copy2(made.lower / source.lstrip("/"), made.upper / path.lstrip("/"))
    with (made.upper / MODIFIED.lstrip("/")).open("ab") as program:
        program.write(b"implant")
    _write(made, PLANS, "secret plans\n")
