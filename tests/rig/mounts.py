"""Mounts the rig makes: overlays and tmpfs, and taking them down again.

In: directories. Out: mounted file systems. Why through mount(8): no other dependency, and its errors are readable.
Next: ``runc``.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from rig import session


def overlay(target: Path, lower: Sequence[Path], upper: Path, work: Path, options: str = "") -> None:
    """Mount an overlay at ``target``; ``lower`` topmost first, as overlayfs wants them."""
    layers = ":".join(str(layer).replace(":", "\\:") for layer in lower)
    extra = f",{options}" if options else ""
    _run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layers},upperdir={upper},workdir={work}{extra}", target)


@contextlib.contextmanager
def tmpfs(name: str = "tmpfs") -> Iterator[Path]:
    """A tmpfs of its own: a second file system with its own inode numbers."""
    directory = session.scratch(name)
    try:
        _run("mount", "-t", "tmpfs", name, "-o", "size=64m", directory)
        yield directory
    finally:
        discard(directory)


def points_below(directory: Path) -> list[str]:
    """Mount points at or under ``directory``, innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in reversed(points) if point == str(directory) or point.startswith(f"{directory}/")]


def unmount_below(directory: Path) -> None:
    """Unmount everything at or under ``directory``. Lazily only when a dying process still holds it."""
    for point in points_below(directory):
        if subprocess.run(["umount", point], capture_output=True, check=False).returncode != 0:
            _run("umount", "--lazy", point)


def discard(directory: Path) -> None:
    """Remove ``directory``, first the mounts in it: a removal must never reach through a mount."""
    unmount_below(directory)
    if left := points_below(directory):
        raise OSError(f"still mounted: {left}")
    shutil.rmtree(directory)


def _run(*argv: str | Path) -> None:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
