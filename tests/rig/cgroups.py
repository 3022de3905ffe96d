"""Cgroup directories of containers, in every hierarchy of the host, v1 and v2.

In: a path inside the hierarchies ("/node/x"). Out: the cgroup2 id, and removal of what a container made.
Why: runc joins the same path in every mounted hierarchy, and leaves parents it made behind. Next: ``runc``.
"""

from __future__ import annotations

import contextlib
import os
import time
from functools import cache
from pathlib import Path

_REMOVE_SECONDS = 30.0  # a killed process leaves its cgroup only when the kernel has torn it down
_claimed: dict[str, frozenset[Path]] = {}  # for ``left``: what to look for at the end of a session


@cache
def hierarchies() -> tuple[Path, ...]:
    """Mount points of all cgroup hierarchies; the cgroup2 one is first."""
    found: list[tuple[str, Path]] = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        kind = tail.split()[0]
        if kind in {"cgroup", "cgroup2"} and fields.split()[3] == "/":
            found.append((kind, Path(fields.split()[4])))
    return tuple(point for _, point in sorted(found, key=lambda item: item[0] != "cgroup2"))


def cgroup2_root() -> Path:
    """Where cgroup2 is mounted; ``FileNotFoundError`` when it is not."""
    root = hierarchies()[0] if hierarchies() else None
    if root is None or not (root / "cgroup.procs").exists() or not (root / "cgroup.controllers").exists():
        raise FileNotFoundError("cgroup2 is not mounted")
    return root


def directory(path: str) -> Path:
    """The cgroup2 directory of ``path`` ("/node/x")."""
    return cgroup2_root() / path.lstrip("/")


def cgroup_id(path: str) -> int:
    """The id ``bpf_get_current_cgroup_id()`` gives for ``path``: the inode number of its cgroup2 directory."""
    return directory(path).stat().st_ino


def claim(path: str) -> frozenset[Path]:
    """Say that a container will be made at ``path``; return which of it and its parents exist already, anywhere."""
    before = frozenset(step for root in hierarchies() for step in _steps(root, path) if step.is_dir())
    _claimed[path] = before
    return before


def left() -> list[Path]:
    """Directories of claimed paths, and parents made for them that nobody else uses, that exist still."""
    found: dict[Path, None] = {}
    for path, before in _claimed.items():
        for root in hierarchies():
            steps = [step for step in _steps(root, path) if step.is_dir() and step not in before]
            innermost = root / path.lstrip("/")
            found |= dict.fromkeys(step for step in steps if step == innermost or not _has_directories(step))
    return list(found)


def remove(path: str, keep: frozenset[Path]) -> None:
    """End what still runs in ``path``, remove it with all nested cgroups, then its empty parents not in ``keep``."""
    with contextlib.suppress(OSError):  # it is gone already, perhaps between the opening and the writing
        (directory(path) / "cgroup.kill").write_text("1")
    for root in hierarchies():
        steps = [step for step in _steps(root, path) if step not in keep]
        for number, step in enumerate(steps):
            if step.is_dir() and not _remove_tree(step, nested=number == 0):
                break


def _has_directories(directory: Path) -> bool:
    return any(entry.is_dir() for entry in directory.iterdir())


def _steps(root: Path, path: str) -> list[Path]:
    """``/a/b`` → [root/a/b, root/a]: innermost first."""
    parts = [part for part in path.split("/") if part]
    return [root.joinpath(*parts[:length]) for length in range(len(parts), 0, -1)]


def _remove_tree(top: Path, nested: bool) -> bool:
    """Remove ``top``; True when it is gone. A parent that another container uses by now is left to that one."""
    inner = [Path(where) for where, _, _ in os.walk(top, topdown=False)] if nested else [top]
    if not nested and _has_directories(top):
        return False
    return all(rmdir(one) for one in inner)


def rmdir(one: Path) -> bool:
    """Remove one empty cgroup; wait for what ended in it to be torn down."""
    until = time.monotonic() + _REMOVE_SECONDS
    while True:
        try:
            one.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return True
