"""Records as the kernel side writes them, for the decoders' tests.

In: what shall differ from an ordinary record. Out: bytes. Next: the tests of this directory.
"""

from __future__ import annotations

from driftline.probe import layout

SUBJECT, PID, START, EXEC_ID = 4711, 97, 1_000_000_007, 555
NO_PROCESS = b"\0" * 16


def header(kind: int, flags: int = 0, comm: bytes = b"sh") -> bytes:
    """A record_header."""
    return layout.HEADER.pack(
        layout.ABI,
        kind,
        0,
        flags,
        123_456_789,
        4712,
        SUBJECT,
        EXEC_ID,
        START,
        PID,
        98,
        96,
        1000,
        1001,
        1002,
        3,
        0,
        comm,
    )


def file_part(path: bytes, origin: int = 1, access: int = 1, links: int = 1) -> bytes:
    """A file_part whose inode number is 77."""
    value = (1).to_bytes(8, "little") + (77).to_bytes(8, "little") + bytes(32)
    return layout.FILE.pack(b"k" * 32, value, 1234, 9, links, 0o100755, len(path), origin, access)


def walked(*parts: bytes) -> bytes:
    """Components leaf first, each ended by NUL."""
    return b"".join(part + b"\0" for part in reversed(parts))


def opened(path: bytes, *, kind: int = 2, flags: int = 1 << 13, origin: int = 1, access: int = 1) -> bytes:
    """An open or load record."""
    return header(kind, flags) + file_part(path, origin, access) + path


def executed(
    path: bytes,
    *,
    argv: bytes = b"sh\0",
    cwd: bytes = b"",
    invoked: bytes = b"/bin/sh\0",
    interpreter: bytes = b"",
    flags: int = 1 << 13,
    environment: int = 0,
    tty: bytes = b"",
) -> bytes:
    """An exec record."""
    sizes = (len(cwd), len(argv), len(invoked), len(interpreter))
    rest = layout.EXEC.pack(b"e" * 192, 444, 0b11, environment, *sizes, 1, 2, tty)
    return header(1, flags) + file_part(path) + rest + path + cwd + argv + invoked + interpreter


def connected(
    family: int, address: bytes, port: int = 80, protocol: int = 6, name: bytes = b"", abstract: int = 0
) -> bytes:
    """A connect record."""
    rest = layout.CONNECT.pack(SUBJECT, 3, port, family, protocol, address, -1, len(name), abstract)
    return header(4, 1 << 13) + rest + name


def cgroup(path: bytes, *, kind: int = 5) -> bytes:
    """A cgroup record."""
    return header(kind) + layout.CGROUP.pack(42, len(path)) + path


def answered(message: bytes, *, family: int = 2, server: bytes = bytes([10, 0, 0, 53]), whole: int = 0) -> bytes:
    """A DNS record."""
    return header(8) + layout.DNS.pack(server, whole or len(message), len(message), family) + message


ALL = {
    "exec": executed(walked(b"bin", b"sh"), cwd=walked(b"srv"), argv=b"sh\0-c\0ls\0", interpreter=b"/bin/sh\0"),
    "open": opened(walked(b"etc", b"passwd")),
    "load": opened(walked(b"lib", b"libc.so.6"), kind=3),
    "connect": connected(2, bytes([127, 0, 0, 1]) + bytes(12)),
    "unix": connected(1, bytes(16), 0, 0, walked(b"run", b"a.sock")),
    "cgroup": cgroup(b"/default/x\0"),
    "dns": answered(b"message"),
}
