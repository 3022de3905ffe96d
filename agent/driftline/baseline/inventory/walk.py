"""One walk over an image's files: its executables, and where packages of languages lie.

In: a root. Out: ``Found``. Why one walk: an image has up to a million files, and reading its directories is most of the
cost. Links are not followed: what they point at is met under its own name. Next: ``languages`` reads what was found.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from driftline.baseline.inventory.draft import Draft, encodable
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import MAX_PATH

MAX_ENTRIES = 2_000_000
"""Directory entries looked at; what lies beyond is not seen, and that is noted."""
MAX_FOUND = 100_000
"""Executables, and places of packages, remembered."""
_SKIPPED = frozenset({"/proc", "/sys", "/dev"})
"""The kernel's own, where a root is a running container's."""
_JARS = (".jar", ".war", ".ear", ".jpi", ".hpi")
_ELF, _SCRIPT = b"\x7fELF", b"#!"
_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


@dataclass(slots=True)
class Found:
    """What a walk found, every path absolute within the root and without links."""

    executables: list[str] = field(default_factory=list)  # ELF files and scripts somebody may execute
    binaries: list[str] = field(default_factory=list)  # those of them that are ELF
    python: list[str] = field(default_factory=list)  # .dist-info and .egg-info directories
    node: list[str] = field(default_factory=list)  # directories of packages below a node_modules
    jars: list[str] = field(default_factory=list)
    entries: int = 0


def walk(root: Root, draft: Draft) -> Found:
    """Return what lies below ``root``. Directories that cannot be read are noted in ``draft`` and left out."""
    found, waiting = Found(), [""]
    while waiting:
        directory = waiting.pop()
        try:
            handle = root.handle(directory, os.O_DIRECTORY | os.O_NOFOLLOW if directory else os.O_DIRECTORY)
        except OSError as error:
            draft.leave_out(directory or "/", f"the directory cannot be opened: {error.strerror}")
            continue
        try:
            waiting += reversed(_directory(handle, directory, found, draft))
        finally:
            os.close(handle)
        if found.entries > MAX_ENTRIES or len(found.executables) + len(found.node) + len(found.jars) > MAX_FOUND:
            draft.leave_out(
                directory, f"over {MAX_ENTRIES} files or {MAX_FOUND} executables: the rest was not looked at"
            )
            break
    return found


def _directory(handle: int, directory: str, found: Found, draft: Draft) -> list[str]:
    """Look at the entries of one directory; return those below it."""
    below: list[str] = []
    try:
        entries = sorted(os.scandir(f"/proc/self/fd/{handle}"), key=lambda entry: entry.name)
    except OSError as error:
        draft.leave_out(directory or "/", f"the directory cannot be read: {error.strerror}")
        return below
    for entry in entries:
        found.entries += 1
        path = f"{directory}/{entry.name}"
        if len(path) > MAX_PATH or not encodable(path):
            draft.leave_out(directory, "a path too long to be opened")
        elif entry.is_dir(follow_symlinks=False):
            if path not in _SKIPPED:
                below.append(path)
                _package_directory(path, entry.name, found)
        elif entry.is_file(follow_symlinks=False):
            _file(handle, entry, path, found)
    return below


def _package_directory(path: str, name: str, found: Found) -> None:
    if name.endswith((".dist-info", ".egg-info")):
        found.python.append(path)
    above = path.split("/")[-3:-1]
    scoped = len(above) == 2 and above[0] == "node_modules" and above[1].startswith("@")
    if (above[-1:] == ["node_modules"] and name[:1] not in "@.") or scoped:
        found.node.append(path)


def _file(handle: int, entry: os.DirEntry[str], path: str, found: Found) -> None:
    if entry.name.lower().endswith(_JARS):
        found.jars.append(path)
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return  # gone since
    if not status.st_mode & _EXECUTABLE or status.st_size < len(_SCRIPT):
        return
    start = _start(handle, entry.name)
    if start.startswith((_ELF, _SCRIPT)):
        found.executables.append(path)
    if start == _ELF:
        found.binaries.append(path)


def _start(directory: int, name: str) -> bytes:
    """The first bytes of a regular file, b"" if it cannot be read or was replaced by something else."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError:
        return b""
    try:
        return os.read(descriptor, len(_ELF)) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)
