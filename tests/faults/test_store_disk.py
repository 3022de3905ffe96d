"""The store's file system fills up or turns read-only: told once and in ``/readyz``; nobody is welcomed, nothing lost.

PostgreSQL's directories are on file systems of their own here, filled to the last byte. SQLite's turns read-only as it
does in the field: the kernel found an error (nobody can remount one read-only while a collector has its files open).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.cluster import NOBODY, Cluster, serve
from collector.rig import PATIENCE, listing, sink, until
from collector.test_follow import Tail
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import vitals
from driftline_collector.server import Collector, Looking
from driftline_collector.storage import Keeping
from driftline_collector.store_address import parse_store
from faults.test_store_faults import MIB, assert_all_stored, complaints, loads, root
from unit.wire import samples

SPARE_SECONDS = 3.0
"""In it agents come back several times to a store that still refuses."""

pytestmark = root


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL whose directories a test moves."""
    yield from serve()


@pytest.fixture
def small(cluster: Cluster) -> Iterator[Path]:
    """A file system of 112 MiB that only PostgreSQL uses."""
    place = cluster.directory / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=112m,uid={NOBODY}", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def start(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Collector]]:
    """Starts a collector on it, in this process."""
    monkeypatch.setattr(vitals, "READY_SECONDS", 0.1)
    running: list[Collector] = []

    def start_one() -> Collector:
        keeping = Keeping(parse_store(cluster.url(cluster.create())))
        running.append(Collector(tmp_path / "state", keeping=keeping, looking=Looking("127.0.0.1:0")))
        running[-1].start()
        return running[-1]

    yield start_one
    for one in running:
        one.stop()


def move(cluster: Cluster, name: str, place: Path) -> None:
    """Put a directory of the stopped cluster elsewhere, as an operator does it."""
    moved = place / Path(name).name
    shutil.copytree(cluster.data / name, moved, symlinks=True)
    for path in (moved, *moved.rglob("*")):
        shutil.chown(path, NOBODY, NOBODY)
    moved.chmod(0o700)
    shutil.rmtree(cluster.data / name)
    (cluster.data / name).symlink_to(moved)


@contextlib.contextmanager
def filled(place: Path) -> Iterator[None]:
    """Leave no byte free on a file system."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MIB, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    try:
        yield
    finally:
        ballast.unlink()


def turn_read_only(place: Path) -> None:
    """Have the kernel find an error in the ext4 at ``place``."""
    number = place.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
    Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("a test")


def readiness(collector: Collector) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{collector.http_address}/readyz", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_disk_of_postgresqls_tables_is_full_and_has_room_again(
    cluster: Cluster, small: Path, start: Callable[[], Collector], caplog: pytest.LogCaptureFixture
) -> None:
    """Small writes still find room in half-full pages; it is ill all the same, until deviations fit again."""
    cluster.stop()
    move(cluster, "base", small)
    cluster.start()
    collector = start()
    agents = loads(collector.address, 2)
    with filled(small):
        until(lambda: complaints(caplog))
        deadline = time.monotonic() + SPARE_SECONDS
        until(lambda: readiness(collector)[0] == 503)
        while time.monotonic() < deadline:
            code, page = readiness(collector)
            assert (code, "No space left on device" in page) == (503, True), page
            time.sleep(0.1)
        (ill,) = complaints(caplog)
        assert "make room on PostgreSQL's disk, or keep less with --keep-bytes" in ill
    until(lambda: readiness(collector) == (200, "ok\n"))
    assert_all_stored(collector.address, agents)
    _, well = complaints(caplog)
    assert well.startswith("the store works again after ")


def test_the_disk_of_postgresqls_log_is_full_and_the_server_dies(
    cluster: Cluster, small: Path, start: Callable[[], Collector], caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL does not live without its log. Somebody makes room and starts it; the collector was never touched."""
    cluster.stop()
    move(cluster, "pg_wal", small)
    cluster.start()
    collector = start()
    agents = loads(collector.address, 2)
    with filled(small):
        with contextlib.suppress(Exception):  # it may die of it at once
            cluster.execute("postgres", "SELECT pg_switch_wal()")
        until(lambda: not cluster.alive)
        until(lambda: readiness(collector)[0] == 503)
        assert "cannot use the store" in readiness(collector)[1]
    cluster.start()
    until(lambda: readiness(collector) == (200, "ok\n"))
    assert_all_stored(collector.address, agents)
    assert [one.startswith("the store works again") for one in complaints(caplog)] == [False, True]


@contextlib.contextmanager
def repaired(place: Path, image: Path) -> Iterator[None]:
    """Unmount the ext4 at ``place``, which works once nobody has a file open on it, mend it, and mount it anew."""
    until(lambda: subprocess.run(["umount", str(place)], capture_output=True).returncode == 0)
    until(lambda: not subprocess.run(["losetup", "-j", str(image)], capture_output=True, text=True).stdout)
    assert subprocess.run(["fsck.ext4", "-p", str(image)], capture_output=True).returncode in (0, 1)  # 1: mended
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)


def test_sqlites_disk_turned_read_only(
    breakable: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel never writes such a file system again, and drops what it had not written: to it this is a power cut.
    It is unmounted, mended and mounted below a collector that runs; what was acknowledged is there."""
    monkeypatch.setattr(vitals, "READY_SECONDS", 0.1)
    subprocess.run(["mount", "-o", "remount,errors=remount-ro", str(breakable)], check=True)
    collector = Collector(breakable / "state", looking=Looking("127.0.0.1:0"))
    agent = sink(collector.start())
    follower = Tail(collector.address, pb.TailRequest(replay=True, follow=True))
    try:
        until(lambda: agent.connected)
        subprocess.run(["sync", "-f", str(breakable)], check=True)  # the directory; not what comes now
        sent = [samples.deviation() for _ in range(300)]
        for one in sent:
            agent.submit(one)
        until(lambda: len(listing(collector.address)) == 300)
        before = listing(collector.address)
        turn_read_only(breakable)
        sent.append(samples.deviation())
        agent.submit(sent[-1])
        until(lambda: complaints(caplog))
        until(lambda: readiness(collector)[0] == 503)
        assert listing(collector.address) == before  # what is stored can still be read
        with repaired(breakable, tmp_path / "image"):
            until(lambda: "is away" in readiness(collector)[1])
            assert list(breakable.iterdir()) == []  # no new store where the disk was
        until(lambda: readiness(collector) == (200, "ok\n"))
        agent.stop(PATIENCE)
        after = listing(collector.address)
        assert after[1:] == before
        assert [item.deviation.id for item in after][::-1] == [one.id for one in sent]
        until(lambda: len(follower.ids) == 301)
        assert follower.ids == [one.id for one in sent]
        ill, well = complaints(caplog)
        assert "disk I/O error; nothing is acknowledged, agents wait. Try: look at the disk" in ill
        assert well.startswith("the store works again after ")
        assert "that were acknowledged" not in caplog.text
    finally:
        follower.stop()
        collector.stop()
