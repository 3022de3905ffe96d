"""Twenty agents deliver while collectors, database and network are killed, paused, cut and filled again and again.

Every deviation is stored once, in order. DRIFTLINE_CAMPAIGN says how many (``make campaign``: a million).
"""

from __future__ import annotations

import os
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from collector.cluster import Cluster, programs
from collector.rig import PATIENCE, CollectorProcess
from faults import campaign
from faults.campaign import Disk, Fault
from faults.network import Network

COUNT = int(os.environ.get("DRIFTLINE_CAMPAIGN", "20000"))
TIME_LIMIT = 240 + COUNT // 400
STORED = "SELECT node, id, count FROM deviations WHERE kind = 'exec.drift' ORDER BY revision"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a disk to fill needs root"),
    pytest.mark.timeout(TIME_LIMIT),
]


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Where the database is."""
    place = Path(tempfile.mkdtemp(prefix="driftline-disk-"))
    place.chmod(0o755)
    one = Disk(place, "6g")
    yield one
    one.unmount()
    place.rmdir()


def behind_networks(collectors: list[CollectorProcess]) -> list[Network]:
    """Start everything."""
    networks = [Network(collector.start()) for collector in collectors]
    for network in networks:
        network.start()
    return networks


def finish(collectors: list[CollectorProcess], networks: list[Network]) -> None:
    for network in networks:
        network.stop()
    for collector in collectors:
        if collector.process and collector.process.poll() is None:
            collector.process.send_signal(signal.SIGCONT)
            collector.complaints(signal.SIGTERM)


def test_one_collector_on_sqlite(disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collector = CollectorProcess(disk.place / "state")
    networks = behind_networks([collector])
    blocker = sqlite3.connect(disk.place / "state" / "collector.db", isolation_level=None, timeout=PATIENCE)
    faults = [
        *campaign.collector_faults(collector, "collector"),
        *campaign.network_faults(networks[0], "collector"),
        disk.fault(),
        Fault("database locked", lambda: blocker.execute("BEGIN IMMEDIATE"), lambda: blocker.execute("ROLLBACK")),
    ]
    try:
        report = campaign.run(networks[0].address, tmp_path, COUNT, faults)
        campaign.judge(report, blocker.execute(STORED))
    finally:
        blocker.close()
        finish([collector], networks)
    with capsys.disabled():
        print(f"\nSQLite, one collector: {report}")
    report.check()


def test_two_replicas_on_postgresql(disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if (found := programs()) is None:
        pytest.skip("needs PostgreSQL's programs in /usr/lib/postgresql (make setup)")
    cluster = Cluster(found, disk.place)
    try:
        cluster.start()
        database = cluster.create()
        collectors = [CollectorProcess(tmp_path / name, "--store", cluster.url(database)) for name in "ab"]
        networks = behind_networks(collectors)
        faults = [disk.fault(), *database_faults(cluster)]
        for name, collector, network in zip("ab", collectors, networks, strict=True):
            faults += campaign.collector_faults(collector, f"replica {name}")
            faults += campaign.network_faults(network, f"replica {name}")
        faults = [Fault(one.name, one.begin, lambda one=one: mend(cluster, one)) for one in faults]  # type: ignore[misc]
        try:
            addresses = ",".join(network.address for network in networks)
            report = campaign.run(addresses, tmp_path, COUNT, faults)
            with psycopg.connect(cluster.url(database)) as connection:
                campaign.judge(report, connection.execute(STORED))
        finally:
            finish(collectors, networks)
    finally:
        cluster.clean_up()
    with capsys.disabled():
        print(f"\nPostgreSQL, two replicas: {report}")
    report.check()


def database_faults(cluster: Cluster) -> list[Fault]:
    """Return what can happen to PostgreSQL; it is started again by ``mend``."""
    return [
        Fault("database crashed", lambda: cluster.stop("immediate"), lambda: None),
        Fault("database stopped", cluster.stop, lambda: None),
        Fault(
            "database paused",
            lambda: cluster.signal_all(signal.SIGSTOP),
            lambda: cluster.signal_all(signal.SIGCONT),
        ),
    ]


def mend(cluster: Cluster, fault: Fault) -> None:
    """Heal ``fault`` with a database that answers: a full disk may have ended it, and a collector needs it to start."""
    if not fault.name.startswith(("replica", "network")):
        fault.heal()
    deadline = time.monotonic() + 3 * PATIENCE
    while not answers(cluster):
        assert time.monotonic() < deadline, "PostgreSQL does not come back"
        if not cluster.alive:
            cluster.start()
        time.sleep(0.1)
    if fault.name.startswith(("replica", "network")):
        fault.heal()


def answers(cluster: Cluster) -> bool:
    try:
        cluster.execute("postgres", "SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize(
    ("indices", "lanes", "wrong"),
    [
        ([0, 1, 2], 1, 0),
        ([0, 2, 1], 1, 1),
        ([5, 0, 6, 1, 7], 2, 0),
        ([5, 3, 1], 2, 1),
        ([0, 0], 1, 1),
    ],
)
def test_disorder_is_found(indices: list[int], lanes: int, wrong: int) -> None:
    assert campaign.disorder(indices, lanes) == wrong


def test_a_disk_that_is_full_refuses(disk: Disk) -> None:
    """The schedule's fault does what it says."""
    (disk.place / "file").write_bytes(b"x" * 4096)
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        (disk.place / "more").write_bytes(b"x" * 1024 * 1024)
    disk.empty()
    (disk.place / "more").write_bytes(b"x" * 1024 * 1024)
