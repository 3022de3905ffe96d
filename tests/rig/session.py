"""What one run of the rig shares: its name, its scratch directory, the cache that outlives it, one lock.

In: nothing. Out: paths every other module of the rig builds on. Why: several engineers (and CI jobs) use one machine;
everything a run makes carries its token, so that one run never mistakes another's container for its own leftover.
Next: ``runc`` and ``containerd``.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("DRIFTLINE_RIG_CACHE", REPOSITORY / ".cache" / "rig"))
"""Compiled workloads, packages and root file systems, named by their content: safe to delete at any time."""

TOKEN = f"{os.environ.get('DRIFTLINE_RIG_TOKEN', 'dlrig')}{os.getpid()}r"
"""In the name of every container, directory and socket of this process. A test that runs the rig in another process
gives it this as DRIFTLINE_RIG_TOKEN: then the other's leftovers are found too. The last letter tells 12 from 123."""

NAMESPACE = f"{TOKEN}-node"
"""Of containerd, and so the top-level cgroup of this process's containers: its agents watch only that one. Two runs on
one machine share no cgroup, so neither sees the other's containers nor waits for the other to remove a parent."""

_LOCK_FILE = "/tmp/driftline-rig.lock"  # one for all checkouts on the machine: cgroups are machine-wide
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def scratch(name: str) -> Path:
    """Return a new empty directory on disk for ``name``; the caller removes it with ``mounts.discard``."""
    return Path(tempfile.mkdtemp(prefix=f"{TOKEN}-{name}-", dir="/tmp"))


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """Return the cache's directory ``name``; if it is not there, ``build`` fills an empty one that becomes it.

    Only one process of the machine builds, and an interrupted build leaves nothing under the name.
    """
    final = CACHE / name
    if final.exists():
        return final
    CACHE.mkdir(parents=True, exist_ok=True)
    with machine_lock(str(CACHE / "lock")), tempfile.TemporaryDirectory(prefix="half-", dir=CACHE) as work:
        if not final.exists():
            half = Path(work, "half")
            half.mkdir(mode=0o755)
            build(half)
            half.rename(final)
    return final


def become_reaper() -> None:
    """Adopt orphans: a container's init becomes our child when ``runc create`` ends, so we get its exit status."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children() -> list[int]:
    """Our children, zombies included."""
    return _children_of(os.getpid())


def descendants() -> set[int]:
    """This process and all that descend from it now."""
    found, waiting = {os.getpid()}, [os.getpid()]
    while waiting:
        for pid in _children_of(waiting.pop()):
            if pid not in found:
                found.add(pid)
                waiting.append(pid)
    return found


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # the process ended
        for task in list(Path(f"/proc/{pid}/task").iterdir()):
            with contextlib.suppress(OSError):  # this thread ended; what it started belongs to another one now
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def reap(name: str) -> None:
    """Reap children that have ended and whose ``comm`` begins with ``name``: orphans that nobody else waits for."""
    for pid in children():
        with contextlib.suppress(OSError):  # somebody who waited for it reaped it meanwhile
            if Path(f"/proc/{pid}/comm").read_text().startswith(name[:15]):  # the kernel keeps 15 bytes of it
                os.waitpid(pid, os.WNOHANG)


@contextlib.contextmanager
def machine_lock(path: str = _LOCK_FILE) -> Iterator[None]:
    """Hold the machine's rig lock: nobody may remove a cgroup ``/a`` while somebody makes ``/a/x`` in it."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
