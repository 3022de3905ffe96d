"""What /proc tells about one process: program, arguments, files, mappings, sockets.

In: a pid. Out: plain values. Why: read as bytes and with ``stat`` through /proc's own links, because the paths mean
something only inside the container; nothing of the container is ever opened, so no fifo or slow file system can be
made to wait for us beyond a ``stat``. A process may end at any moment: then these raise OSError. Next: ``running``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from driftline.nouns import Access

MAX_DESCRIPTORS = 4_096
"""Descriptors looked at of one process: servers with more hold sockets, mostly."""
MAX_MAPPINGS_BYTES = 4 * 1024 * 1024
"""Read of one maps file: 40 000 mappings."""
MAX_ENVIRONMENT_BYTES = 131_072
"""Read of one environment; a pod in a namespace with 500 services has 100 KiB."""
MAX_ARGV_BYTES = 16_384
"""Read of one command line; the kernel's own records hold as much."""
_DELETED = " (deleted)"
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_OCTAL = re.compile(r"\\012")
_ACCESS = {os.O_RDONLY: Access.READ, os.O_WRONLY: Access.WRITE, os.O_RDWR: Access.READ | Access.WRITE}


class Seen(NamedTuple):
    """A file as /proc shows it."""

    path: str  # as the container sees it
    state: os.stat_result


class Descriptor(NamedTuple):
    """An open file (``seen``) or a socket (``socket``: its inode number)."""

    number: int
    seen: Seen | None
    access: int
    socket: int


class Status(NamedTuple):
    """Facts from /proc/PID/status."""

    namespace_init: bool  # pid 1 of a pid namespace of its own
    capabilities: int  # effective set


def start_ticks(pid: int) -> int:
    """Return when the process started, in clock ticks since boot (field 22 of proc_pid_stat(5)).

    The kernel's ``start_boottime`` is exact; divided by the nanoseconds of a tick (10 ms) it gives this number.
    """
    content = _read(f"/proc/{pid}/stat", 4096)
    return int(content[content.rindex(b")") + 2 :].split(b" ")[19])


def argv(pid: int) -> tuple[str, ...]:
    """Return the command line as it is now (a process may have rewritten it), bounded."""
    content = _read(f"/proc/{pid}/cmdline", MAX_ARGV_BYTES)
    return tuple(map(os.fsdecode, content.removesuffix(b"\0").split(b"\0"))) if content else ()


def variables(pid: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of ``names`` the environment held when the program started; never a value."""
    content = b"\0" + _read(f"/proc/{pid}/environ", MAX_ENVIRONMENT_BYTES)
    return tuple(name for name in names if b"\0" + name.encode() + b"=" in content)


def root(pid: int) -> str:
    """Return the process's root directory within its mount namespace, "/" unless it called chroot."""
    return os.readlink(f"/proc/{pid}/root")


def working_directory(pid: int, root: str) -> str:
    """Return the process's current directory."""
    return _inside(os.readlink(f"/proc/{pid}/cwd"), root)


def executable(pid: int, root: str) -> Seen:
    """Return the program the process runs."""
    return _seen(f"/proc/{pid}/exe", root)


def descriptors(pid: int, root: str) -> Iterator[Descriptor]:
    """Yield regular files and sockets the process has open, at most ``MAX_DESCRIPTORS``."""
    with os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in islice(entries, MAX_DESCRIPTORS):
            try:
                yield from _descriptor(pid, entry.name, root)
            except OSError:
                continue  # closed while we looked


def executable_mappings(pid: int, root: str) -> Iterator[Seen]:
    """Yield the files the process has mapped executable, each once."""
    known = set()
    for line in _read(f"/proc/{pid}/maps", MAX_MAPPINGS_BYTES).split(b"\n"):
        fields = line.split(None, 5)
        if len(fields) < 6 or b"x" not in fields[1] or fields[4] == b"0":
            continue
        identity = (fields[3], fields[4])
        if identity in known:
            continue
        known.add(identity)
        try:
            yield _mapping(pid, os.fsdecode(fields[0]), os.fsdecode(fields[5]), root)
        except OSError:
            continue  # unmapped while we looked


def namespace(pid: int, kind: str) -> int:
    """Return the inode number of the process's namespace ``kind`` ("mnt", "net", "pid")."""
    return os.stat(f"/proc/{pid}/ns/{kind}").st_ino


def status(pid: int) -> Status:
    """Return what /proc/PID/status alone tells."""
    fields = dict(line.partition(b":")[::2] for line in _read(f"/proc/{pid}/status", 16_384).split(b"\n"))
    pids = fields.get(b"NSpid", b"").split()
    return Status(len(pids) > 1 and pids[-1] == b"1", int(fields.get(b"CapEff", b"0"), 16))


def _descriptor(pid: int, number: str, root: str) -> Iterator[Descriptor]:
    link = f"/proc/{pid}/fd/{number}"
    if match := _SOCKET.fullmatch(os.readlink(link)):
        yield Descriptor(int(number), None, 0, int(match[1]))
        return
    seen = _seen(link, root)
    if stat.S_ISREG(seen.state.st_mode):
        yield Descriptor(int(number), seen, _access(pid, number), 0)


def _access(pid: int, number: str) -> int:
    for line in _read(f"/proc/{pid}/fdinfo/{number}", 4096).split(b"\n"):
        if line.startswith(b"flags:"):
            flags = int(line.split()[1], 8)
            append = Access.APPEND if flags & os.O_APPEND else 0
            return int(_ACCESS.get(flags & os.O_ACCMODE, Access.READ) | append)
    return int(Access.READ)


def _mapping(pid: int, addresses: str, path: str, root: str) -> Seen:
    """The link in map_files is the mapped file itself, even when another lies at its path now."""
    start, end = (int(part, 16) for part in addresses.split("-"))
    try:
        return _seen(f"/proc/{pid}/map_files/{start:x}-{end:x}", root)
    except PermissionError:  # without CAP_CHECKPOINT_RESTORE
        plain = _OCTAL.sub("\n", path).removesuffix(_DELETED)
        return Seen(_inside(plain, root), os.stat(f"/proc/{pid}/root{plain}", follow_symlinks=False))


def _seen(link: str, root: str) -> Seen:
    state = os.stat(link)
    path = os.readlink(link)
    if state.st_nlink == 0:
        path = path.removesuffix(_DELETED)
    return Seen(_inside(path, root), state)


def _inside(path: str, root: str) -> str:
    return path[len(root) :] if root != "/" and path.startswith(root + "/") else path


def _read(path: str, limit: int) -> bytes:
    with open(path, "rb", buffering=0) as file:
        content = b""
        while len(content) < limit and (piece := file.read(limit - len(content))):
            content += piece
        return content
