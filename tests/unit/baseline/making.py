"""Makes events and strategies for the tests of baseline and verdict. Every value can be overridden."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import strategies as st

from driftline.nouns import (
    ConnectBehaviour,
    ConnectEvent,
    ExecBehaviour,
    ExecEvent,
    File,
    LoadBehaviour,
    LoadEvent,
    OpenBehaviour,
    OpenEvent,
    Origin,
    Process,
    RecordFlag,
    Subject,
)

SUBJECT = Subject(
    cgroup=5,
    cgroup_path="/kubepods/pod1/abc",
    container_id="abcdef0123456789",
    name="web",
    image="shop/web:1.2",
    image_digest="sha256:11",
    pod="shop-1",
)
REGULAR = 0o100644


def process(pid: int = 100, start_ns: int = 7, exec_id: int = 3) -> Process:
    return Process(pid, pid, 1, start_ns, exec_id, 1000, 1000, 1000, "web")


def file(path: str, origin: Origin = Origin.IMAGE, mode: int = REGULAR) -> File:
    return File(path, origin, device=1, inode=2, links=1, mode=mode, size=10)


def seen(path: str | Path) -> File:
    """The file as the kernel would tell it."""
    status = os.stat(path)
    device = os.major(status.st_dev) << 20 | os.minor(status.st_dev)
    return File(str(path), Origin.WRITABLE, device, status.st_ino, status.st_nlink, status.st_mode, status.st_size)


def opened(
    path: str, access: int = 1, origin: Origin = Origin.IMAGE, flags: int = 0, mode: int = REGULAR, pid: int = 100
) -> OpenEvent:
    return OpenEvent(1, 5, process(pid), flags, 1, b"k", b"v", file(path, origin, mode), access)


def loaded(path: str, origin: Origin = Origin.IMAGE, flags: int = 0) -> LoadEvent:
    return LoadEvent(1, 5, process(), flags, 1, b"k", b"v", file(path, origin))


def executed(
    path: str = "/usr/sbin/nginx",
    invoked: str | None = None,
    argv: tuple[str, ...] | None = None,
    by: str = "/entrypoint.sh",
    origin: Origin = Origin.IMAGE,
    flags: int = 0,
    cwd: str = "/",
    tty: str = "",
    environment: tuple[str, ...] = (),
    inet_stdio: int = 0,
    pid: int = 100,
    exec_id: int = 3,
    by_exec_id: int = 2,
) -> ExecEvent:
    invoked = path if invoked is None else invoked
    return ExecEvent(
        1,
        5,
        process(pid, exec_id=exec_id),
        flags,
        1,
        b"k",
        b"v",
        file=file(path, origin),
        invoked=invoked,
        interpreter="",
        argv=(invoked,) if argv is None else argv,
        cwd=cwd,
        tty=tty,
        environment=environment,
        inet_stdio=inet_stdio,
        unix_stdio=0,
        by_exec_id=by_exec_id if by else 0,
        by_path=by,
        capabilities=0,
    )


def connected(
    address: str, port: int = 443, protocol: str = "tcp", family: str = "ipv4", flags: int = 0
) -> ConnectEvent:
    return ConnectEvent(1, 5, process(), flags, 1, b"k", b"v", family, protocol, address, port, 0)


hostile_text = st.one_of(st.binary(max_size=40), st.text(max_size=20).map(lambda s: s.encode("utf-8", "replace"))).map(
    os.fsdecode
)
"""Names as they come from a kernel: any bytes."""

_places = (
    "/tmp/",
    "/usr/bin/",
    "/etc/",
    "/proc/7/",
    "/run/secrets/",
    "/root/.ssh/",
    "/opt/a/lib/",
    "/dev/",
    "/var/run/",
    "",
)
_names = (
    "shadow",
    "mem",
    "environ",
    "id_rsa",
    "docker.sock",
    "null",
    "ld.so.preload",
    "busybox",
    "sh",
    "cron.d/x",
    "release_agent",
    "..2026_01_01_00_00_00.1/token",
)
paths = st.one_of(
    st.builds(str.__add__, st.sampled_from(_places), st.sampled_from(_names) | hostile_text), hostile_text
)

flags = st.integers(0, int(sum(RecordFlag)))
_processes = st.builds(process, st.integers(1, 9), st.integers(0, 3), st.integers(0, 5))
_files = st.builds(
    File,
    paths,
    st.sampled_from(Origin),
    st.just(1),
    st.just(2),
    st.just(1),
    st.sampled_from((REGULAR, 0o060660, 0o020666, 0o40755)),
    st.just(3),
)
_common = (st.integers(0, 2**63), st.just(5), _processes, flags, st.just(1), st.just(b"k"), st.just(b"v"))
_addresses = st.sampled_from(
    ("127.0.0.1", "::1", "10.0.0.9", "::ffff:1.2.3.4", "169.254.169.254", "fd00:ec2::254", "/run/docker.sock", "@x", "")
)

open_events = st.builds(OpenEvent, *_common, _files, st.integers(0, 31))
load_events = st.builds(LoadEvent, *_common, _files)
connect_events = st.builds(
    ConnectEvent,
    *_common,
    st.sampled_from(("ipv4", "ipv6", "unix")),
    st.sampled_from(("tcp", "udp", "unix")),
    _addresses,
    st.integers(0, 65535),
    st.none() | st.integers(0, 200),
)
exec_events = st.builds(
    ExecEvent,
    *_common,
    _files,
    paths,
    st.just(""),
    st.lists(paths, max_size=3).map(tuple),
    paths,
    st.sampled_from(("", "", "pts/0")),
    st.sampled_from(((), (), ("LD_PRELOAD",))),
    st.sampled_from((0, 0, 3)),
    st.just(0),
    st.integers(0, 5),
    st.sampled_from(("", "/bin/sh")) | paths,
    st.just(0),
)
events = st.one_of(open_events, exec_events, load_events, connect_events)

behaviours = st.one_of(
    st.builds(ExecBehaviour, paths, hostile_text, paths, st.booleans()),
    st.builds(OpenBehaviour, paths, st.sampled_from(("read", "write"))),
    st.builds(LoadBehaviour, paths),
    st.builds(ConnectBehaviour, st.sampled_from(("tcp", "udp", "unix")), paths, st.integers(0, 65535)),
)
