"""What of an event makes its behaviour, and what is folded away."""

from __future__ import annotations

import pytest
from hypothesis import given

from driftline.baseline.behaviour import behaviour_of, example_of
from driftline.baseline.patterns.addresses import Surroundings
from driftline.nouns import (
    Access,
    ConnectBehaviour,
    Event,
    ExecBehaviour,
    LoadBehaviour,
    OpenBehaviour,
    Origin,
    RecordFlag,
)
from unit.baseline.making import connected, events, executed, loaded, opened


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (0, "read"),
        (Access.READ, "read"),
        (Access.WRITE, "write"),
        (Access.READ | Access.WRITE, "write"),
        (Access.READ | Access.CREATE, "write"),
        (Access.READ | Access.TRUNCATE, "write"),
        (Access.APPEND, "write"),
    ],
)
def test_access(access: int, expected: str) -> None:
    assert behaviour_of(opened("/data/x", int(access))) == OpenBehaviour("/data/x", expected)


@pytest.mark.parametrize(
    ("path", "folded"),
    [
        ("/proc/12/stat", "/proc/{pid}/stat"),
        ("/proc/12/task/13/comm", "/proc/{pid}/task/{pid}/comm"),
        ("/proc/12/fd/4", "/proc/{pid}/fd/{num}"),
        ("/proc/12/map_files/7f00-7f01", "/proc/{pid}/map_files/{hex}-{hex}"),
        ("/host/proc/12/stat", "/host/proc/{pid}/stat"),
        ("/proc/sys/net/core/somaxconn", "/proc/sys/net/core/somaxconn"),
        ("/proc/self", "/proc/self"),
        ("/sys/block/8/size", "/sys/block/8/size"),
    ],
)
def test_numbers_of_proc_are_folded(path: str, folded: str) -> None:
    assert behaviour_of(opened(path, origin=Origin.PSEUDO)) == OpenBehaviour(folded, "read")


@pytest.mark.parametrize("origin", [Origin.IMAGE, Origin.COPYUP])
def test_a_file_of_the_image_keeps_its_name(origin: Origin) -> None:
    """Nothing in it is made anew; and a name that looks like a pattern is none."""
    assert behaviour_of(opened("/data/job-1234{x}", origin=origin)) == OpenBehaviour("/data/job-1234\\{x\\}", "read")


@pytest.mark.parametrize("origin", [Origin.WRITABLE, Origin.VOLUME, Origin.TMPFS, Origin.ROOTFS])
def test_a_file_made_later_gets_its_classes(origin: Origin) -> None:
    assert behaviour_of(opened("/data/job-1234", 2, origin)) == OpenBehaviour("/data/job-{num}", "write")


@pytest.mark.parametrize(
    ("path", "folded"),
    [
        ("/run/secrets/t/..2026_11_23_08_00_01.123456789/token", "/run/secrets/t/..{time}/token"),
        ("/data/..2x/token", "/data/..2x/token"),
        ("/app/__pycache__/a.cpython-311.pyc.140233", "/app/__pycache__/a.cpython-311.pyc.{num}"),
        ("/app/__pycache__/a.cpython-311.pyc", "/app/__pycache__/a.cpython-311.pyc"),
        ("/app/__pycache__/notes.12", "/app/__pycache__/notes.12"),  # code lies there: no other class is put in
    ],
)
def test_names_made_anew_each_time_are_folded(path: str, folded: str) -> None:
    assert behaviour_of(opened(path, origin=Origin.VOLUME)) == OpenBehaviour(folded, "read")


@pytest.mark.parametrize("path", ["/dev/null", "/dev/urandom", "/dev/pts/3", "/dev/tty"])
def test_plain_devices_are_no_behaviour_but_files_of_their_name_are(path: str) -> None:
    assert behaviour_of(opened(path, 2, Origin.PSEUDO)) is None
    assert behaviour_of(opened(path, 2, Origin.TMPFS)) == OpenBehaviour(path, "write")


@pytest.mark.parametrize(
    ("origin", "kept"),
    [
        (Origin.IMAGE, ""),
        (Origin.COPYUP, ""),
        (Origin.ROOTFS, ""),
        (Origin.UNKNOWN, ""),
        (Origin.WRITABLE, "writable"),
        (Origin.VOLUME, "volume"),
        (Origin.TMPFS, "tmpfs"),
        (Origin.MEMFD, "memfd"),
        (Origin.DELETED, "deleted"),
        (Origin.HOST, "host"),
    ],
)
def test_code_that_is_not_the_images_says_where_it_came_from(origin: Origin, kept: str) -> None:
    """And its path stays as it is: code is never generalised."""
    ran = behaviour_of(executed("/data/job-1234{x}", origin=origin))
    assert ran == ExecBehaviour("/data/job-1234{x}", "job-1234{x}", "/entrypoint.sh", False, kept)
    assert behaviour_of(loaded("/tmp/tmpab12cd34", origin)) == LoadBehaviour("/tmp/tmpab12cd34", kept)


def test_exec_and_load() -> None:
    event = executed("/bin/busybox", "/bin/cat", ("cat",), by="/bin/sh", flags=int(RecordFlag.ENTERED))
    assert behaviour_of(event) == ExecBehaviour("/bin/busybox", "cat", "/bin/sh", True)
    assert behaviour_of(loaded("/lib/libc.so")) == LoadBehaviour("/lib/libc.so")


@pytest.mark.parametrize(
    ("address", "family", "folded"),
    [
        ("127.0.0.1", "ipv4", "loopback"),
        ("127.9.8.7", "ipv4", "loopback"),
        ("::1", "ipv6", "loopback"),
        ("0.0.0.0", "ipv4", "loopback"),
        ("::", "ipv6", "loopback"),
        ("::ffff:127.0.0.1", "ipv6", "loopback"),
        ("::ffff:10.0.0.9", "ipv6", "10.0.0.9"),
        ("10.0.0.1", "ipv4", "self"),
        ("::ffff:10.0.0.1", "ipv6", "self"),
        ("10.0.0.9", "ipv4", "10.0.0.9"),
        ("127.0.0.1", "unix", "127.0.0.1"),
        ("/run/x.sock", "unix", "/run/x.sock"),
    ],
)
def test_addresses(address: str, family: str, folded: str) -> None:
    event = connected(address, 8080, family=family)
    assert behaviour_of(event, Surroundings(frozenset({"10.0.0.1"}))) == ConnectBehaviour("tcp", folded, 8080)


def test_an_example_is_given_of_a_pattern_only() -> None:
    for path, expected in (("/data/job-1234", "/data/job-1234"), ("/data/job", ""), ("/data/{job}", "")):
        event = opened(path, origin=Origin.VOLUME)
        behaviour = behaviour_of(event)
        assert behaviour is not None
        assert example_of(event, behaviour) == expected


@given(events)
def test_every_event_has_a_behaviour_or_none_and_always_the_same(event: Event) -> None:
    assert behaviour_of(event) == behaviour_of(event)
