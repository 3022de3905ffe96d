"""Digest of a file that ran or was mapped, off the hot path.

In: the process, and the file as the kernel saw it. Out: the digest, or why there is none. Run by a worker thread: a
file system that does not answer (FUSE, a hung NFS) blocks only that. The file is taken from ``/proc/PID/exe``, which
survives its deletion and is a memfd's only name, else by path under the process's root. Next: ``evidence``.
"""

from __future__ import annotations

import hashlib
import os
import time

from driftline.nouns import File
from driftline.verdict.beneath import open_beneath, reopen_regular

SETTLE_SECONDS = 0.003
"""Between opening a file, which keeps it, and reading it: the deviation is on its way to a person meanwhile, and on a
node with few processors a digest would hold it up by a millisecond. Bounds digests to some 300 a second."""

_CHUNK = 1 << 20

TOO_LARGE = "too large"
GONE = "gone before it could be read"
CHANGED = "changed while it was read"


def hash_executable(pid: int, file: File, limit: int, algorithm: str = "sha256") -> tuple[str, str]:
    """Return (hex digest, "") of ``file``, which process ``pid`` executed, or ("", why there is none).

    ``limit``: largest size read, bytes. Never raises; a file that is not the one the kernel saw is not read.
    """
    if file.size > limit:
        return "", TOO_LARGE
    try:
        descriptor = open_seen(pid, file)
        if descriptor is None:
            return "", GONE
        try:
            return _digest(descriptor, limit, algorithm)
        finally:
            os.close(descriptor)
    except OSError as error:
        return "", f"unreadable: {error.strerror}"


def open_seen(pid: int, file: File) -> int | None:
    """Return a descriptor of exactly the ``file`` the kernel saw process ``pid`` execute or map, None if it is gone.

    An executable is held by ``/proc/PID/exe`` and cannot be written while it runs, so nobody can restore the image's
    contents before we look.
    """
    descriptor = _open_exe(pid, file)
    return _open_by_path(pid, file) if descriptor is None else descriptor


def _open_exe(pid: int, file: File) -> int | None:
    try:
        handle = os.open(f"/proc/{pid}/exe", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return reopen_regular(handle) if is_same(os.fstat(handle), file) else None
    except OSError:
        return None
    finally:
        os.close(handle)


def _open_by_path(pid: int, file: File) -> int | None:
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        descriptor = open_beneath(root, file.path)
    except OSError:
        return None
    finally:
        os.close(root)
    if is_same(os.fstat(descriptor), file):
        return descriptor
    os.close(descriptor)
    return None


def is_same(status: os.stat_result, file: File) -> bool:
    """Whether ``status`` is of the file the kernel saw: inode and size, and the device where both sides name it alike.

    The kernel's device is the superblock's, major << 20 | minor. On an overlay over several file systems ``stat`` gives
    an anonymous device (major 0) of the layer instead, with the same inode number (Documentation/filesystems/
    overlayfs.rst, "Inode properties").
    """
    if status.st_ino != file.inode or status.st_size != file.size:
        return False
    major, minor = os.major(status.st_dev), os.minor(status.st_dev)
    return file.device in {status.st_dev, major << 20 | minor} or major == 0


def _digest(descriptor: int, limit: int, algorithm: str) -> tuple[str, str]:
    time.sleep(SETTLE_SECONDS)
    before = os.fstat(descriptor)
    digest, left = hashlib.new(algorithm, usedforsecurity=False), limit  # dpkg records MD5
    while chunk := os.read(descriptor, _CHUNK):
        left -= len(chunk)
        if left < 0:
            return "", TOO_LARGE
        digest.update(chunk)
    after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    ):
        return "", CHANGED
    return digest.hexdigest(), ""
