"""Files that are there whole or not at all, and a lock between processes.

In: bytes for a path, a directory to lock. Out: the old file or the new one, whatever happens in between: written
beside, synced, renamed, directory synced. Why a lock file: the agent and the command line change the same baselines,
and each reads before it writes. Next: ``store``, and the inventories.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

LOCK = "lock"
POLL_SECONDS = 0.01
"""Between two tries for a lock: a write takes some milliseconds."""


class Stamp(NamedTuple):
    """Tells a file from the one that takes its place; all zero: there is none."""

    inode: int = 0
    mtime_ns: int = 0
    size: int = 0


ABSENT = Stamp()


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of the file at ``path``. Raises OSError."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return ABSENT
    return Stamp(status.st_ino, status.st_mtime_ns, status.st_size)


def read_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file, links not followed. Raises OSError; ValueError beyond ``limit`` bytes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"more than {limit} bytes")
    return data


def is_of(data: bytes, sha256: str) -> bool:
    """Whether ``data`` has that SHA-256, hex; any, if it is empty."""
    return not sha256 or hashlib.sha256(data).hexdigest() == sha256


def replace_file(path: Path, data: bytes, alike: Path | None = None) -> None:
    """Put ``data`` in the place of ``path`` in one step; a full disk is not left fuller. Raises OSError.

    ``alike``: a file whose mode and owner it gets.
    """
    with replacing(path.parent, {path.name: data}) as beside:
        if alike is not None:
            status = os.stat(alike)
            os.chown(beside[path.name], status.st_uid, status.st_gid)
            os.chmod(beside[path.name], stat.S_IMODE(status.st_mode))


@contextmanager
def replacing(directory: Path, contents: Mapping[str, bytes]) -> Iterator[Mapping[str, Path]]:
    """Write files beside those of the same names, and yield where; at the end, put them in their place, the first one
    first.

    A full disk shows before the first is replaced, and is not left fuller. Raises OSError.
    """
    beside = {name: directory / f"{name}.new" for name in contents}
    try:
        for name, data in contents.items():
            _write(beside[name], data)
        yield beside
        for name, path in beside.items():
            os.replace(path, directory / name)
    except OSError:
        for path in beside.values():
            path.unlink(missing_ok=True)
        raise


def _write(beside: Path, data: bytes) -> None:
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def make_directory(directory: Path) -> None:
    """Make ``directory`` and those above it, so that they outlive a power failure. Raises OSError."""
    if directory.is_dir():
        return
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """Make what was renamed or removed in ``directory`` outlive a power failure. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def touch(path: Path) -> None:
    """Give ``path`` a modification time it never had, however coarse or wrong the clock. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        now = max(time.time_ns(), os.fstat(descriptor).st_mtime_ns + 1)
        os.utime(descriptor, ns=(now, now))
    finally:
        os.close(descriptor)


def take_lock(directory: Path, seconds: float) -> int:
    """Return a descriptor that holds the lock of ``directory``, made if it is not there; closing it gives it back.

    Raises OSError; BlockingIOError if somebody else still holds it after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while (descriptor := _try_lock(directory)) is None:
        if time.monotonic() >= deadline:
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
        time.sleep(POLL_SECONDS)
    return descriptor


def _try_lock(directory: Path) -> int | None:
    make_directory(directory)
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == stamp_of(directory / LOCK).inode:
            return descriptor  # else that of a directory somebody removed meanwhile
    except BlockingIOError:
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
