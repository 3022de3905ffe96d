"""A database that refuses, hangs, dies or comes back: nothing acknowledged is lost, the collector goes on by itself.

The agents here are real sinks; what they deliver is compared with what is stored, each once and in order.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import random
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.cluster import Cluster, serve
from collector.rig import PATIENCE, CollectorProcess, listing, sink, until
from collector.test_follow import Tail
from driftline.errors import StateError
from driftline.report.stream import StreamSink
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import writer as writer_module
from driftline_collector.server import Collector
from driftline_collector.storage import Keeping
from driftline_collector.store_address import parse_store
from rig import ports
from unit.wire import samples

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), fs/ext4/ext4.h
NOLOGFLUSH = 2  # every write fails from now on, as if the device were gone
MIB = 1024 * 1024
LONGEST_SECONDS = 60.0

root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL to break."""
    yield from serve()


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    name = cluster.create()
    yield cluster.url(name)
    cluster.signal_all(signal.SIGCONT)
    cluster.drop(name)


@pytest.fixture
def collector(url: str, tmp_path: Path) -> Iterator[Collector]:
    """A collector on it, in this process; it has started."""
    one = Collector(tmp_path / "state", keeping=Keeping(parse_store(url)))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


class Load(threading.Thread):
    """An agent that submits without pause until told to end, or for LONGEST_SECONDS."""

    def __init__(self, agent: StreamSink, node: str = "node-a") -> None:
        super().__init__(daemon=True)
        self._agent = agent
        self._node = node
        self._ending = threading.Event()
        self.sent: list[str] = []

    def run(self) -> None:
        deadline = time.monotonic() + LONGEST_SECONDS
        while not self._ending.wait(0.01) and time.monotonic() < deadline:
            for _ in range(7):
                self.sent.append((one := samples.deviation(node=self._node)).id)
                self._agent.submit(one)

    def end(self) -> list[str]:
        self._ending.set()
        self.join()
        self._agent.stop(PATIENCE)
        assert self._agent.losses() == []
        return self.sent


def loads(address: str, count: int) -> list[Load]:
    started = [Load(sink(address, f"node-{i}"), f"node-{i}") for i in range(count)]
    for load in started:
        load.start()
    until(lambda: all(len(load.sent) > 100 for load in started))
    return started


def assert_all_stored(address: str, ended: list[Load]) -> None:
    stored = listing(address)[::-1]
    for i, load in enumerate(ended):
        sent = load.end()
        stored = listing(address)[::-1]
        assert [item.deviation.id for item in stored if item.deviation.node == f"node-{i}"] == sent
    assert len(stored) == sum(len(load.sent) for load in ended)
    assert len({item.revision for item in stored}) == len(stored)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the collector said of its store, in order."""
    return [one.getMessage() for one in caplog.records if one.name == "driftline_collector.writer"]


def warnings(address: str) -> list[str]:
    client = CollectorClient(address)
    try:
        return list(client.list_agents().warnings)
    finally:
        client.close()


def test_postgresql_crashes_in_mid_commit_again_and_again(collector: Collector, cluster: Cluster) -> None:
    """Three agents deliver; the server is killed and started five times at moments that a seed chooses."""
    chance, agents = random.Random(20261123), loads(collector.address, 3)
    for _ in range(5):
        time.sleep(chance.uniform(0.05, 0.5))
        cluster.stop("immediate")
        time.sleep(chance.uniform(0.0, 0.5))
        cluster.start()
    assert_all_stored(collector.address, agents)


def test_postgresql_that_is_stopped_is_said_once_and_waited_for(
    collector: Collector, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    agents = loads(collector.address, 2)
    cluster.stop()
    until(lambda: complaints(caplog))
    time.sleep(2)  # agents come back again and again meanwhile
    assert any("cannot use the store" in warning for warning in warnings(collector.address))
    cluster.start()
    until(lambda: len(complaints(caplog)) == 2)
    assert_all_stored(collector.address, agents)
    ill, well = complaints(caplog)
    assert "nothing is acknowledged, agents wait. Try: " in ill
    assert well.startswith("the store works again after ")
    assert warnings(collector.address) == []


def test_postgresql_that_hangs_sends_agents_away_and_loses_nothing(
    collector: Collector, cluster: Cluster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its processes are stopped in the middle of their work: no error, no answer."""
    monkeypatch.setattr(writer_module, "ANSWER_SECONDS", 3.0)
    agents = loads(collector.address, 2)
    cluster.signal_all(signal.SIGSTOP)
    until(lambda: complaints(caplog))
    assert "the store has not answered for 3 s; nothing is acknowledged" in complaints(caplog)[0]
    time.sleep(3)
    cluster.signal_all(signal.SIGCONT)
    assert_all_stored(collector.address, agents)
    assert len(complaints(caplog)) % 2 == 0  # ill and well again, as often


def test_a_collector_stops_in_order_while_postgresql_hangs(cluster: Cluster, url: str, tmp_path: Path) -> None:
    (tmp_path / "outputs.yaml").write_text(f"outputs:\n  - {{name: out, type: file, path: {tmp_path}/out}}\n")
    process = CollectorProcess(tmp_path / "state", "--store", url, "--outputs", str(tmp_path / "outputs.yaml"))
    agent = sink(process.start())
    agent.submit(samples.deviation())
    until((tmp_path / "out").exists)
    cluster.signal_all(signal.SIGSTOP)
    agent.submit(samples.deviation())
    tail = Tail(process.address, pb.TailRequest(replay=True))  # a reader hangs as well
    client = CollectorClient(process.address)
    assert len(client.list_agents().agents) == 1
    client.close()
    said = process.complaints(signal.SIGTERM)
    assert process.process is not None
    assert (process.process.returncode, "Traceback" in said) == (0, False), said
    cluster.signal_all(signal.SIGCONT)
    agent.stop(0.1)
    tail.stop()


def test_a_database_that_became_read_only_is_waited_for(
    collector: Collector, cluster: Cluster, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = url.partition("/test_")[2].partition("?")[0]
    agents = loads(collector.address, 1)
    cluster.execute("postgres", f"ALTER DATABASE test_{database} SET default_transaction_read_only = on")
    others = f"datname = 'test_{database}' AND pid != pg_backend_pid()"
    cluster.execute("postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    until(lambda: "read-only" in "".join(warnings(collector.address)))
    cluster.execute("postgres", f"ALTER DATABASE test_{database} RESET default_transaction_read_only")
    assert_all_stored(collector.address, agents)
    assert len(complaints(caplog)) % 2 == 0  # ill and well again, as often


@root
def test_a_full_disk_is_waited_for(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector(disk / "state")
    agents = loads(collector.start(), 1)
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * MIB)
    until(lambda: complaints(caplog))
    time.sleep(1)
    ballast.unlink()
    until(lambda: len(complaints(caplog)) == 2)
    assert_all_stored(collector.address, agents)
    collector.stop()
    ill, _ = complaints(caplog)
    assert "database or disk is full" in ill
    assert "make room on the disk, or keep less with --keep-bytes" in ill


@root
def test_a_read_only_disk_is_told_at_the_start(disk: Path) -> None:
    state = disk / "state"
    one = Collector(state)
    one.start()
    one.stop()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StateError, match=r"cannot use the state directory .*Read-only file system"):
        Collector(state).start()
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    again = Collector(state)
    again.start()
    again.stop()


@root
def test_a_disk_that_fails_is_told_and_what_was_acknowledged_is_there(
    breakable: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every write gives EIO. A disk like this does not heal: the collector is started again, on the disk repaired."""
    caplog.set_level(logging.WARNING)
    collector = Collector(breakable / "state", listen=f"127.0.0.1:{ports.free()}")
    agent = sink(collector.start())
    acknowledged = [samples.deviation() for _ in range(300)]
    for one in acknowledged:
        agent.submit(one)
    until(lambda: len(listing(collector.address)) == 300)
    subprocess.run(["sync", "-f", str(breakable)], check=True)
    descriptor = os.open(breakable, os.O_RDONLY)
    fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
    os.close(descriptor)
    agent.submit(late := samples.deviation())
    until(lambda: complaints(caplog))
    assert "disk I/O error" in complaints(caplog)[0]
    assert "look at the disk" in complaints(caplog)[0]
    collector.stop()
    subprocess.run(["umount", "--lazy", str(breakable)], check=True)
    image = tmp_path / "image"
    until(lambda: not subprocess.run(["losetup", "-j", str(image)], capture_output=True, text=True).stdout)
    subprocess.run(["mount", "-o", "loop", str(image), str(breakable)], check=True)
    again = Collector(breakable / "state", listen=collector.address)
    again.start()
    until(lambda: len(listing(again.address)) == 301)
    agent.stop(PATIENCE)
    stored = [item.deviation.id for item in listing(again.address)][::-1]
    assert stored == [one.id for one in (*acknowledged, late)]
    again.stop()
