"""Opens files under a directory a container controls, without being led out of it or held up.

In: a directory descriptor and a path from the kernel (resolved: it has no links). Out: a descriptor of a regular file.
Why component by component: the container may have put a link, a fifo or a device in the path's place since; a link
would lead to the host's files, a fifo would block for ever, a device may act when opened. Next: ``hashing`` and
``copyup``.
"""

from __future__ import annotations

import os
import stat

_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_COMPONENTS = 256
"""Directories entered for one path; the kernel records no deeper ones."""


def open_beneath(directory: int, path: str) -> int:
    """Return a descriptor for reading the regular file ``path`` under the open ``directory``.

    Raises OSError where a component is missing, a link, or no directory, and where the file is not a regular one.
    """
    parts = [part for part in path.split("/") if part]
    if not parts or len(parts) > MAX_COMPONENTS or ".." in parts:
        raise OSError(0, "not a path that can be followed")
    step = os.dup(directory)
    try:
        for part in parts:
            below = os.open(part, _STEP, dir_fd=step)
            os.close(step)
            step = below
        return reopen_regular(step)
    finally:
        os.close(step)


def reopen_regular(handle: int) -> int:
    """Return a descriptor for reading the file an ``O_PATH`` descriptor stands for, if it is a regular file."""
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(0, "not a regular file")
    return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
