"""Records as a kernel would send them, for containers that do not exist: every field a test may want to choose.

In: what happened. Out: bytes, as ``bpf/include/record.h`` lays them out. Why beside the golden captures: an order of
events, or a lost record, cannot be had from a real kernel. Next: the tests of this directory.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from driftline.decode.header import ORIGINS
from driftline.nouns import Origin, RecordFlag
from driftline.probe import layout

EXEC, OPEN, LOAD, CONNECT, CREATED, REMOVED, LEFT, DNS = range(1, 9)
ENTERED, IS_INIT = int(RecordFlag.ENTERED), int(RecordFlag.IS_INIT)
CACHEABLE = int(RecordFlag.CACHEABLE)
STEP_NS = 1_000_000  # between two events


def walked(path: str) -> bytes:
    """Components leaf first, each ended by NUL."""
    parts = [part for part in path.encode("utf-8", "surrogateescape").split(b"/") if part]
    return b"".join(part + b"\0" for part in reversed(parts))


@dataclass
class Clock:
    """Kernel time that only grows."""

    now: int = 1_000_000_000

    def tick(self, step: int = STEP_NS) -> int:
        """Return the time of the next event."""
        self.now += step
        return self.now


_exec_ids = itertools.count(1 << 20)


@dataclass
class Program:
    """A process running a program image."""

    box: Box
    pid: int
    exec_id: int
    flags: int = 0

    def open(self, path: str, access: int = 1, origin: Origin = Origin.IMAGE, flags: int = 0) -> bytes:
        """It opens a file."""
        return self.box.open_record(OPEN, self, path, access, origin, flags)

    def load(self, path: str, origin: Origin = Origin.IMAGE) -> bytes:
        """It maps a file executable."""
        return self.box.open_record(LOAD, self, path, 1, origin, 0)

    def connect(self, address: tuple[int, int, int, int], port: int = 443) -> bytes:
        """It connects over TCP and IPv4."""
        rest = layout.CONNECT.pack(self.box.cgroup, 0, port, 2, 6, bytes(address) + bytes(12), -1, 0, 0)
        return self.box.header(CONNECT, self, CACHEABLE) + rest

    def run(
        self, path: str, *argv: str, origin: Origin = Origin.IMAGE, child: bool = True, **facts: Any
    ) -> tuple[bytes, Program]:
        """It (or a child of it) executes ``path``; return the record and the program it became."""
        return self.box.exec(path, *argv, origin=origin, by=self, pid=0 if child else self.pid, **facts)


@dataclass
class Box:
    """A container as the kernel knows it: a cgroup."""

    clock: Clock
    cgroup: int = 100
    path: str = "/default/box"
    subject: int = 0  # what the kernel takes it to be part of; 0: itself
    pids: itertools.count[int] = field(default_factory=lambda: itertools.count(1000))

    def created(self) -> bytes:
        """Its birth."""
        return self._cgroup(CREATED)

    def removed(self) -> bytes:
        """Its end."""
        return self._cgroup(REMOVED)

    def _cgroup(self, kind: int) -> bytes:
        name = self.path.encode("utf-8", "surrogateescape") + b"\0"
        return self.header(kind, None, 0) + layout.CGROUP.pack(1, len(name)) + name

    def left(self, program: Program, to: str) -> bytes:
        """A process of it was moved elsewhere."""
        name = to.encode() + b"\0"
        return self.header(LEFT, program, 0) + layout.CGROUP.pack(1, len(name)) + name

    def answer(self, message: bytes, server: tuple[int, int, int, int] = (10, 96, 0, 10)) -> bytes:
        """It gets a DNS answer."""
        return self.header(DNS, None, 0) + layout.DNS.pack(bytes(server), len(message), len(message), 2) + message

    def header(self, kind: int, program: Program | None, flags: int) -> bytes:
        """A record_header."""
        pid, exec_id = (program.pid, program.exec_id) if program else (0, 0)
        flags |= program.flags if program else 0
        subject = self.subject or self.cgroup
        now = self.clock.tick()
        return layout.HEADER.pack(
            layout.ABI, kind, 0, flags, now, self.cgroup, subject, exec_id, pid * 7, pid, pid, 1, 0, 0, 0, 0, 0, b"web"
        )

    def start(self, path: str = "/usr/sbin/web", *argv: str, **facts: Any) -> tuple[bytes, Program]:
        """The container's init."""
        return self.exec(path, *argv, flags=IS_INIT, **facts)

    def enter(self, path: str, *argv: str, **facts: Any) -> tuple[bytes, Program]:
        """Somebody executes something in it from outside."""
        return self.exec(path, *argv, flags=ENTERED, **facts)

    def exec(
        self,
        path: str,
        *argv: str,
        origin: Origin = Origin.IMAGE,
        by: Program | None = None,
        flags: int = 0,
        pid: int = 0,
        cwd: str = "/",
        tty: str = "",
    ) -> tuple[bytes, Program]:
        """A program image is committed."""
        inherited = by.flags & ENTERED if by else 0
        program = Program(self, pid or next(self.pids), next(_exec_ids), flags & (ENTERED | IS_INIT) | inherited)
        words = [argument.encode("utf-8", "surrogateescape") + b"\0" for argument in argv or (path,)]
        texts = (walked(path), walked(cwd), b"".join(words), path.encode("utf-8", "surrogateescape") + b"\0", b"")
        sizes = [len(text) for text in texts]
        rest = layout.EXEC.pack(b"", by.exec_id if by else 0, 0, 0, *sizes[1:], 0, 0, tty.encode())
        head = self.header(EXEC, program, flags | CACHEABLE)
        return head + _file(sizes[0], origin, 1) + rest + b"".join(texts), program

    def open_record(self, kind: int, program: Program, path: str, access: int, origin: Origin, flags: int) -> bytes:
        """An open or a load."""
        name = walked(path)
        return self.header(kind, program, flags | CACHEABLE) + _file(len(name), origin, access) + name


def _file(path_bytes: int, origin: Origin, access: int) -> bytes:
    return layout.FILE.pack(b"key", bytes(48), 12, 9, 1, 0o100755, path_bytes, ORIGINS.index(origin), access)
