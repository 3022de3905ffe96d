"""Where the cgroup2 tree is, which watched cgroups it holds now, and the path of a cgroup id.

In: ``/proc/self/mountinfo`` and the mounted tree. Out: ``Hierarchy``. Why: its place is never assumed (hybrid hosts
mount it below ``unified``), and the id that programs see is the inode number of the directory. Next: ``cgroups.parse``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from driftline.errors import HostError
from driftline.identify.cgroups import is_watched
from driftline.nouns import Loss

MOUNTINFO = "/proc/self/mountinfo"
MAX_DEPTH = 32
"""Levels walked: the deepest real tree (kubelet in a container, systemd inside the pod) has about twelve."""
MAX_CGROUPS = 16_384
"""Cgroups listed: as many as the kernel's table of traced cgroups holds (bpf/include/maps.h)."""
_ROOT_INODE = 1  # of the whole hierarchy; a cgroup namespace's root has another
_FILEID_KERNFS = 0xFE  # include/linux/exportfs.h: the handle is the 64-bit cgroup id
_OCTAL = re.compile(r"\\([0-7]{3})")


class WatchedCgroup(NamedTuple):
    """A cgroup that exists now."""

    cgroup: int  # id: inode number of the directory
    path: str  # within the hierarchy
    parent: int  # id of the directory above


class Hierarchy:
    """The cgroup2 tree mounted at ``root``. ``losses`` tells what the bounds of a walk cut off."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.whole = os.stat(root).st_ino == _ROOT_INODE
        """False in a cgroup namespace of its own: only a part of the node's containers is visible."""
        self._cut = 0

    def directory(self, path: str) -> str:
        """Return the file system path of the cgroup ``path``."""
        return os.path.join(self.root, path.lstrip("/"))

    def watched(self, roots: tuple[str, ...]) -> list[WatchedCgroup]:
        """Return the cgroups that ``is_watched`` holds for, each after the one above it."""
        found: list[WatchedCgroup] = []
        for cgroup in self._walk("", os.stat(self.root).st_ino, 0):
            if is_watched(cgroup.path, roots):
                if len(found) == MAX_CGROUPS:
                    self._cut += 1
                    break
                found.append(cgroup)
        return found

    def path_of(self, cgroup: int) -> str | None:
        """Return the path of a cgroup id; None if it is gone. Raises HostError if the kernel will not say."""
        handle = struct.pack("=IiQ", 8, _FILEID_KERNFS, cgroup)
        mount = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            descriptor = _open_by_handle(mount, handle)
            if descriptor is None:
                return None
            try:
                path = os.readlink(f"/proc/self/fd/{descriptor}")
            finally:
                os.close(descriptor)
        finally:
            os.close(mount)
        return "/" + os.path.relpath(path, self.root) if path != self.root else "/"

    def losses(self) -> list[Loss]:
        """Return and reset what walks left out."""
        cut, self._cut = self._cut, 0
        return [Loss("identify", "cgroup_walk_cut", cut)] if cut else []

    def _walk(self, path: str, parent: int, depth: int) -> Iterator[WatchedCgroup]:
        if depth == MAX_DEPTH:
            self._cut += 1
            return
        for name, inode in _directories(self.directory(path)):
            cgroup = WatchedCgroup(inode, f"{path}/{name}", parent)
            yield cgroup
            yield from self._walk(cgroup.path, inode, depth + 1)


def _directories(directory: str) -> list[tuple[str, int]]:
    try:
        with os.scandir(directory) as entries:
            return sorted((entry.name, entry.inode()) for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []  # removed while we walked


def _open_by_handle(mount: int, handle: bytes) -> int | None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.open_by_handle_at(mount, ctypes.create_string_buffer(handle, len(handle)), os.O_PATH))
    if descriptor >= 0:
        return descriptor
    code = ctypes.get_errno()
    if code in (errno.ESTALE, errno.ENOENT):
        return None
    raise HostError(
        f"the path of a cgroup cannot be read: {os.strerror(code)}",
        "run with CAP_DAC_READ_SEARCH and without a seccomp filter on open_by_handle_at",
    )


def mounts_of_cgroup2(mountinfo: str) -> list[str]:
    """Return the mount points of cgroup2 in the text of a mountinfo file (proc_pid_mountinfo(5)), in its order."""
    points = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if after.startswith("cgroup2 ") and len(fields) > 4:
            points.append(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]))
    return points


def find(mountinfo: str = MOUNTINFO) -> Hierarchy:
    """Find the cgroup2 hierarchy, best a mount that shows the whole of it. Raises HostError if there is none."""
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        points = mounts_of_cgroup2(file.read())
    trees = [Hierarchy(point) for point in points if os.path.isdir(point)]
    if not trees:
        raise HostError("no cgroup2 hierarchy is mounted", "mount -t cgroup2 none /sys/fs/cgroup/unified")
    return next((tree for tree in trees if tree.whole), trees[0])
