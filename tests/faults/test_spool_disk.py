"""A disk that is full, read-only or broken: deviations wait in memory, that is said, and the disk is used again."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.rig import PATIENCE, CollectorProcess, replay, until
from driftline.report import backlog, keeper, stream
from driftline.report.spool import Item, Spool, SpoolOptions
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.wire.convert import deviation_to_wire
from unit.report.spooling import MIB, drain, ids, items
from unit.wire import samples

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), fs/ext4/ext4.h
NOLOGFLUSH = 2  # every write fails from now on, as if the device were gone

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place))
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def breakable(tmp_path: Path) -> Iterator[Path]:
    """An ext4 of its own on a file, which can be made to fail."""
    if not Path("/dev/loop-control").exists() or shutil.which("mkfs.ext4") is None:
        pytest.skip("needs loop devices and mkfs.ext4")
    image, place = tmp_path / "image", tmp_path / "disk"
    image.touch()
    os.truncate(image, 24 * MIB)
    place.mkdir()
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    mount("-o", "loop", str(image), str(place))
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[CollectorProcess]:
    collector = CollectorProcess(tmp_path / "state")
    yield collector
    collector.clean_up()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refused is tried again soon; one that is busy is waited for at the stop."""
    monkeypatch.setattr(stream, "KEEP_SECONDS", PATIENCE)
    monkeypatch.setattr(backlog, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(keeper, "RETRY_SECONDS", 0.2)


def options(directory: Path, fsync: str = "batch") -> SpoolOptions:
    return SpoolOptions(directory / "spool", 64 * MIB, 7.0, fsync, 50)  # type: ignore[arg-type]


def sink(address: str, spool: SpoolOptions) -> StreamSink:
    started = StreamSink(address, AgentIdentity(node="node-a", abi=1, boot_id="b"), 50_000, spool=spool)
    started.start()
    return started


def stored(address: str) -> list[str]:
    return [item.deviation.id for item in replay(address)]


def submit(agent: StreamSink, count: int, put: list[str]) -> None:
    for _ in range(count):
        put.append((one := samples.deviation()).id)
        agent.submit(one)


def test_a_full_disk_takes_what_fits_and_nothing_is_damaged(disk: Path) -> None:
    spool, put, written = Spool(options(disk)), items(9_000), 0
    while written < len(put):
        taken = spool.append(put[written : written + 300])[1]
        written += taken
        if spool.trouble:
            break
    assert spool.trouble
    assert spool.trouble.errno == errno.ENOSPC
    assert 4_000 < written < 9_000
    spool.close()
    again = Spool(options(disk))  # a full disk must not keep us from delivering what is on it
    assert again.losses() == []
    assert ids(drain(again)) == ids(put[:written])
    again.tidy()
    assert again.append(put[written:])[1] == len(put) - written
    assert ids(drain(again)) == ids(put[written:])
    again.close()


def test_the_sink_waits_in_memory_while_the_disk_is_full_and_returns_to_it(
    disk: Path, process: CollectorProcess, caplog: pytest.LogCaptureFixture
) -> None:
    address, put = process.start(), list[str]()
    process.end()
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * (2 * MIB + MIB // 2))
    agent = sink(address, options(disk))
    for _ in range(6):
        submit(agent, 500, put)
        time.sleep(0.1)
    until(lambda: "the spool cannot be written (No space left on device)" in caplog.text)
    ballast.unlink()
    submit(agent, 500, put)
    until(lambda: "the spool can be written again" in caplog.text)
    agent.stop(0.2)
    assert agent.losses() == []
    process.start()
    rest = sink(address, options(disk))
    rest.stop(PATIENCE)
    assert stored(address) == put


def test_live_ones_are_delivered_while_the_disk_is_full(disk: Path, process: CollectorProcess) -> None:
    (disk / "ballast").write_bytes(b"x" * (3 * MIB - 32 * 1024))
    agent, put = sink(process.start(), options(disk)), list[str]()
    for _ in range(20):
        submit(agent, 50, put)
        time.sleep(0.01)
    until(lambda: len(stored(process.address)) == len(put))
    agent.stop(PATIENCE)
    assert stored(process.address) == put
    assert agent.losses() == []


def test_a_read_only_disk_is_said_and_used_once_it_can_be_written(
    disk: Path, process: CollectorProcess, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(options(disk))
    old = samples.deviation()
    spool.append([Item(old.severity.rank, old.id, deviation_to_wire(old).SerializeToString())])
    spool.close()
    mount("-o", "remount,ro", str(disk))
    agent, put = sink(process.start(), options(disk)), list[str]()
    submit(agent, 100, put)
    until(lambda: stored(process.address) == put)
    told = f"the spool {disk}/spool cannot be used: Read-only file system; deviations wait in memory only"
    until(lambda: told in caplog.text)
    mount("-o", "remount,rw", str(disk))
    until(lambda: "the spool is in use now" in caplog.text)
    submit(agent, 100, put)
    agent.stop(PATIENCE)
    assert stored(process.address) == [*put[:100], old.id, *put[100:]]
    assert agent.losses() == []


@pytest.mark.parametrize("fsync", ["batch", "always"])
def test_a_disk_that_fails_holds_up_nobody(
    breakable: Path, process: CollectorProcess, caplog: pytest.LogCaptureFixture, fsync: str
) -> None:
    agent, put = sink(process.start(), options(breakable, fsync)), list[str]()
    submit(agent, 100, put)
    until(lambda: len(stored(process.address)) == 100)
    descriptor = os.open(breakable, os.O_RDONLY)
    fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
    os.close(descriptor)
    submit(agent, 100, put)
    until(lambda: len(stored(process.address)) == 200)
    process.end()
    submit(agent, 100, put)
    time.sleep(0.5)
    process.start()
    until(lambda: len(stored(process.address)) == 300)
    agent.stop(PATIENCE)
    assert stored(process.address) == put
    assert "the spool cannot be" in caplog.text
    assert {loss.cause for loss in agent.losses()} <= {"sync_failed"}
