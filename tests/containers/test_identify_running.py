"""A real container that ran before the agent is read from outside: who runs, from which layer, connected where."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from driftline.identify.snapshot import Snapshot, read_running
from driftline.nouns import Access, ConnectEvent, ExecEvent, OpenEvent, Origin, RecordFlag
from rig import cgroups, containerd, images, rootfs, session

pytestmark = pytest.mark.containers
WORK = """
exec 3</etc/passwd 4>>/tmp/log 5</volume/data 6</work/nothing
chmod 750 /work/idle
exec 7</work/idle
cp /bin/busybox /tmp/sh
nc 127.0.0.1 "$1" -e /tmp/sh -c "sleep 602; true" &
sleep 600 | nc 127.0.0.1 "$1"
"""
PROCESSES = Counter({"/bin/sh": 1, "sleep": 3, "nc": 1, "/tmp/sh": 2})
"""The init, sleep and nc of its pipe, a shell behind nc -e and its sleep, a visitor and its sleep."""


@dataclass
class Box:
    """The container read by the tests."""

    found: Snapshot
    init: int
    port: int
    volume: Path

    def opens(self) -> dict[str, OpenEvent]:
        return {event.file.path: event for event in self.found.events if isinstance(event, OpenEvent)}

    def execs(self) -> list[ExecEvent]:
        return [event for event in self.found.events if isinstance(event, ExecEvent)]


def whole(found: Snapshot) -> bool:
    """Whether each process runs its program: between fork and exec it is another shell."""
    return Counter(event.argv[0] for event in found.events if isinstance(event, ExecEvent)) == PROCESSES


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    scratch = tmp_path_factory.mktemp("running")
    (scratch / "data").write_text("x")
    layers = list(reversed(rootfs.default_layers()))
    image = images.build("localhost/running:1", layers, images.ImageOptions(), scratch / "image.tar")
    with containerd.running() as daemon, socket.create_server(("127.0.0.1", 0)) as server:
        daemon.pull(image)
        port = server.getsockname()[1]
        options = containerd.RunOptions(argv=["/bin/sh", "-c", WORK, "sh", str(port)], volumes={"/volume": scratch})
        task = daemon.run(image.name, f"{session.TOKEN}-late", options)
        server.settimeout(30)
        with server.accept()[0], server.accept()[0]:
            daemon.ctr("task", "exec", "-d", "--exec-id", "visitor", task.id, "/tmp/sh", "-c", "sleep 601; true")
            directory = str(cgroups.directory(task.cgroup))
            end = time.monotonic() + 30
            while True:
                (found,) = read_running({task.cgroup_id: directory})
                if (whole(found) and not found.losses) or time.monotonic() > end:
                    break
                time.sleep(0.1)
            yield Box(found, task.pid, port, scratch)


def test_nothing_was_missed(box: Box) -> None:
    assert box.found.losses == []
    assert whole(box.found)


def test_the_init_its_children_and_who_entered(box: Box) -> None:
    first, *_ = box.execs()
    assert first.flags == RecordFlag.SNAPSHOT | RecordFlag.IS_INIT
    assert first.process.pid == box.init
    told = {(event.argv[0], bool(event.flags & RecordFlag.ENTERED)) for event in box.execs()}
    ours = {("/bin/sh", False), ("sleep", False), ("nc", False), ("/tmp/sh", False)}
    assert told == ours | {("/tmp/sh", True), ("sleep", True)}
    children = [event for event in box.execs() if event.argv in (("sleep", "600"), ("nc", "127.0.0.1", str(box.port)))]
    assert {event.by_exec_id for event in children} == {first.process.exec_id}


def test_programs_of_the_image_and_dropped_ones(box: Box) -> None:
    origins = {(event.file.path, event.file.origin) for event in box.execs()}
    assert origins == {("/bin/busybox", Origin.IMAGE), ("/tmp/sh", Origin.WRITABLE)}


def test_files_and_where_their_content_comes_from(box: Box) -> None:
    opens = box.opens()
    assert opens["/etc/passwd"].file.origin is Origin.IMAGE
    assert opens["/etc/passwd"].access == Access.READ
    assert opens["/tmp/log"].file.origin is Origin.WRITABLE
    assert opens["/tmp/log"].access == Access.WRITE | Access.APPEND
    assert opens["/volume/data"].file.origin is Origin.VOLUME
    assert opens["/volume/data"].file.inode == (box.volume / "data").stat().st_ino
    assert opens["/work/nothing"].file.origin is Origin.IMAGE
    assert opens["/work/idle"].file.origin is Origin.COPYUP


def test_its_connection_is_told_and_nobody_elses(box: Box) -> None:
    """The container shares the host's network: the test's own end of the connection is there too."""
    connects = [event for event in box.found.events if isinstance(event, ConnectEvent)]
    assert [(one.family, one.protocol, one.address, one.port) for one in connects] == [
        ("ipv4", "tcp", "127.0.0.1", box.port)
    ]
    assert connects[0].process.pid in {event.process.pid for event in box.execs()}


def test_a_shell_on_a_network_socket_shows_it(box: Box) -> None:
    (shell,) = (event for event in box.execs() if event.argv[-1:] == ("sleep 602; true",))
    assert shell.inet_stdio == 0b11
    assert [
        event.inet_stdio for event in box.execs() if event.argv == ("/bin/sh", "-c", WORK, "sh", str(box.port))
    ] == [0]
