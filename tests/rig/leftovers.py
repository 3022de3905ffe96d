"""What a run left behind on the machine: processes, mounts, directories, cgroups, network links, BPF objects.

In: the state before, and the machine now. Out: a list of sentences, empty when all is gone. Only what this process or
its descendants made counts: others work on the same machine. Next: the session fixture in tests/conftest.py.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rig import cgroups, kernel_objects, session

SETTLE_SECONDS = 30.0  # the kernel frees programs and dying cgroups a little later
_DIRECTORIES = ("/tmp", "/run", "/run/containerd/s", "/run/containerd/fifo", "/run/containerd/runc")


def snapshot() -> frozenset[str]:
    """What is there now. Orphans become our children from here on, so that they can be seen at the end."""
    if os.geteuid() == 0:
        session.become_reaper()
    return frozenset((*_ours(), *_objects().values()))


def since(before: frozenset[str]) -> list[str]:
    """Return what is there beyond ``before``; waits up to ``SETTLE_SECONDS`` for it to go."""
    until = time.monotonic() + SETTLE_SECONDS
    session.reap("")  # orphans that ended, such as a killed agent's children, have nobody else to wait for them
    while left := [one for one in (*_ours(), *_unanswered(before)) if one not in before]:
        if time.monotonic() > until:
            break
        time.sleep(0.1)
        session.reap("")
    return left


def _ours() -> list[str]:
    looks: Iterable[Callable[[], list[str]]] = (_mounts, _directories, _cgroups, _links, _processes)
    return [one for look in looks for one in look()]


def _mounts() -> list[str]:
    return [f"mount {line}" for line in Path("/proc/self/mounts").read_text().splitlines() if session.TOKEN in line]


def _directories() -> list[str]:
    existing = [Path(directory) for directory in _DIRECTORIES if Path(directory).is_dir()]
    return [f"directory {path}" for parent in existing for path in parent.glob(f"*{session.TOKEN}*")]


def _cgroups() -> list[str]:
    named = (path for root in cgroups.hierarchies() for path in root.glob(f"*{session.TOKEN}*"))
    return [f"cgroup {path}" for path in dict.fromkeys((*cgroups.left(), *named))]


def _links() -> list[str]:
    return [f"network link {path.name}" for path in Path("/sys/class/net").glob(f"dlv{os.getpid()}")]


def _processes() -> list[str]:
    return [f"process {pid} {_command(pid)}" for pid in session.children()]


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return "(gone)"
    return words or "(zombie)"


def _unanswered(before: frozenset[str]) -> list[str]:
    """BPF objects not in ``before`` that no process outside this session holds."""
    new = {what: text for what, text in _objects().items() if text not in before}
    theirs = kernel_objects.foreign() if new else set()
    return [text for what, text in new.items() if what not in theirs]


def _objects() -> dict[kernel_objects.Object, str]:
    usable = os.geteuid() == 0 and shutil.which("bpftool") is not None
    return kernel_objects.present() if usable else {}
