"""Where the content of a container's file comes from, judged from outside, without the kernel's view.

In: the mounts of the container's process (``/proc/PID/mountinfo``) and a file's path and state. Out: ``Origin``.
Why: files that were open before the agent have no record; the overlay's own directories tell image from writable layer
where they can be reached, else the answer is ``UNKNOWN``, never a guess. Next: ``running`` puts it into the snapshot.
"""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

from driftline.nouns import Origin

_OCTAL = re.compile(r"\\([0-7]{3})")
_COMMA = re.compile(r"(?<!\\),")
_COLON = re.compile(r"(?<!\\):")
_MEMORY = {"tmpfs", "ramfs", "hugetlbfs"}
_PSEUDO = {
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "devpts",
    "devtmpfs",
    "mqueue",
    "bpf",
    "debugfs",
    "tracefs",
    "securityfs",
    "nsfs",
    "pipefs",
    "sockfs",
    "binfmt_misc",
}


class Mount(NamedTuple):
    """One mount as a process sees it."""

    point: str
    fstype: str
    options: str  # of the superblock


def parse_mounts(mountinfo: str) -> list[Mount]:
    """Read a mountinfo file (proc_pid_mountinfo(5)); lines that are none are left out."""
    mounts = []
    for line in mountinfo.split("\n"):
        before, _, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if len(left) >= 6 and len(right) >= 3:
            mounts.append(Mount(_unescape(left[4]), right[0], _unescape(" ".join(right[2:]))))
    return mounts


def mount_of(path: str, mounts: list[Mount]) -> Mount | None:
    """Return the mount ``path`` (absolute, as the container sees it) lies on: the deepest, of equals the last."""
    best = None
    for mount in mounts:
        covers = mount.point == "/" or path == mount.point or path.startswith(mount.point + "/")
        if covers and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def origin_of(path: str, state: os.stat_result, mounts: list[Mount]) -> Origin:
    """Decide the origin of the file ``path`` with the stat ``state``."""
    if path.startswith("/memfd:") and state.st_nlink == 0:
        return Origin.MEMFD
    if state.st_nlink == 0:
        return Origin.DELETED
    if not stat.S_ISREG(state.st_mode) and not stat.S_ISDIR(state.st_mode):
        return Origin.PSEUDO
    mount = mount_of(path, mounts)
    if mount is None:
        return Origin.UNKNOWN
    if mount.point == "/":
        return _in_overlay(path, mount) if mount.fstype == "overlay" else Origin.ROOTFS
    if mount.fstype in _PSEUDO:
        return Origin.PSEUDO
    return Origin.TMPFS if mount.fstype in _MEMORY else Origin.VOLUME


def _in_overlay(path: str, mount: Mount) -> Origin:
    """Look for the file in the overlay's upper directory, then in its lower ones."""
    upper, lowers = _layers(mount.options)
    if not upper:
        return Origin.IMAGE if lowers else Origin.UNKNOWN  # no writable layer: everything is the image's
    if not upper.startswith("/") or not os.path.isdir(upper):
        return Origin.UNKNOWN  # relative, or valid only in the runtime's mount namespace
    written = _lstat_beneath(upper, path)
    if written is None:
        return Origin.IMAGE
    for lower in lowers:
        shipped = _lstat_beneath(lower, path) if lower.startswith("/") else None
        if shipped is not None:
            same = (shipped.st_size, shipped.st_mtime_ns) == (written.st_size, written.st_mtime_ns)
            return Origin.COPYUP if same else Origin.WRITABLE
    return Origin.WRITABLE


def _layers(options: str) -> tuple[str, list[str]]:
    upper, lowers = "", []
    for option in _COMMA.split(options):
        key, _, value = option.partition("=")
        if key == "upperdir":
            upper = _plain(value)
        elif key in ("lowerdir", "lowerdir+"):
            lowers += [_plain(part) for part in _COLON.split(value) if part]
    return upper, lowers


def _lstat_beneath(root: str, path: str) -> os.stat_result | None:
    """Stat ``path`` below the layer ``root`` without following a link: the container wrote what lies there."""
    *parents, name = [part for part in path.split("/") if part] or ["."]
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        at = os.open(root, flags | os.O_DIRECTORY)
        try:
            for part in parents:
                below = os.open(part, flags | os.O_DIRECTORY, dir_fd=at)
                os.close(at)
                at = below
            return os.stat(name, dir_fd=at, follow_symlinks=False)
        finally:
            os.close(at)
    except OSError:
        return None


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
