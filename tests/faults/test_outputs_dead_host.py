"""The machine of the replica that sends an output vanishes: no packet of it arrives any more, not even one that ends
its connections. Another replica takes over in the promised time, and nothing is left out.

The machine is a network namespace; PostgreSQL is at the other end of its only link.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.cluster import PASSWORD, Cluster, serve
from collector.outputs.rig import written as lines
from collector.outputs.test_outputs_replicas import Replica
from collector.rig import sink, until
from driftline_collector import postgres
from faults.test_store_faults import Load, root
from rig.network import Network, veth

PROMISED_SECONDS = 25
"""docs/outputs.md."""

FASTER = """
import re, sys
from driftline.__main__ import main
from driftline_collector import postgres
postgres.LEASE = re.sub(r"(tcp_\\w+=)(\\d+)", lambda one: f"{one[1]}{max(1, int(one[2]) // 20)}", postgres.LEASE)
sys.exit(main())
"""
"""The program, with a twentieth of the time until PostgreSQL takes the holder of a lease for dead."""

pytestmark = root


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with veth() as one:
        yield one


@pytest.fixture(scope="module")
def cluster(network: Network) -> Iterator[Cluster]:
    """A PostgreSQL at this end of the link."""
    for one in serve():
        one.stop()
        one.let_in(f"{network.inside}/32", network.host)
        one.start()
        yield one


@pytest.fixture
def replicas(
    cluster: Cluster, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Replica, Replica]]:
    """One inside, which sends, and one here, which stands by; each with a file of its own, ``a`` and ``b``."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    database = cluster.create()
    for name in "ab":
        text = f"outputs:\n  - {{name: out, type: file, path: {tmp_path}/{name}, start: all}}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    inside = ["nsenter", f"--net={network.namespace}", sys.executable, "-c", FASTER]
    far = f"postgresql://driftline@{network.host}:{cluster.port}/{database}?sslmode=disable"
    first = Replica(tmp_path / "first", far, tmp_path / "a.yaml", inside)
    second = Replica(tmp_path / "second", cluster.url(database), tmp_path / "b.yaml")
    try:
        first.start()
        query = "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND datname = "
        until(lambda: cluster.execute("postgres", f"{query}'{database}'"))
        second.start()
        yield first, second
    finally:
        for one in (first, second):
            one.end(signal.SIGKILL)
        subprocess.run(["nsenter", f"--net={network.namespace}", "ip", "link", "set", "eth0", "up"], check=True)
        cluster.drop(database)


def cut(network: Network) -> None:
    """Let nothing pass from one moment to the next."""
    subprocess.run(["nsenter", f"--net={network.namespace}", "ip", "link", "set", "eth0", "down"], check=True)


def cut_below_an_answer(network: Network, port: int) -> None:
    """Cut the link while an answer of PostgreSQL is under way."""
    route = subprocess.run(["ip", "-o", "route", "get", network.inside], capture_output=True, text=True, check=True)
    device = re.search(r" dev (\S+)", route.stdout)
    assert device
    nobody = [network.inside, "lladdr", "02:00:00:00:00:01", "dev", device[1]]
    subprocess.run(["ip", "neighbour", "replace", *nobody, "nud", "permanent"], check=True)
    try:
        until(lambda: unacknowledged(network, port))
        cut(network)
    finally:
        subprocess.run(["ip", "neighbour", "del", network.inside, "dev", device[1]], check=True)


def unacknowledged(network: Network, port: int) -> bool:
    """Whether PostgreSQL's side of a connection has sent what was not acknowledged."""
    question = ["ss", "-Htn", "state", "established", "src", f"{network.host}:{port}", "dst", network.inside]
    found = subprocess.run(question, capture_output=True, text=True, check=True).stdout
    return any(int(line.split()[1]) > 0 for line in found.splitlines())


def test_another_takes_over_from_a_machine_that_vanished_at_rest(
    replicas: tuple[Replica, Replica], cluster: Cluster, network: Network, tmp_path: Path
) -> None:
    """PostgreSQL waits for its next request, and asks by keepalives whether it is there."""
    _, second = replicas
    load = loaded(second, tmp_path)
    sent = load.end()
    until(lambda: lines(tmp_path / "a") == sent)
    until(lambda: not unacknowledged(network, cluster.port))
    cut(network)
    more = Load(sink(second.address))
    more.start()
    assert_taken_over(second, tmp_path, more, sent)


def test_another_takes_over_from_a_machine_that_vanished_at_work(
    replicas: tuple[Replica, Replica], cluster: Cluster, network: Network, tmp_path: Path
) -> None:
    """PostgreSQL sends an answer again and again, and no keepalive as long as it does."""
    _, second = replicas
    load = loaded(second, tmp_path)
    cut_below_an_answer(network, cluster.port)
    assert_taken_over(second, tmp_path, load, [])


def loaded(second: Replica, place: Path) -> Load:
    """An agent that reports to ``second``, some of whose deviations the first one has sent."""
    load = Load(sink(second.address))
    load.start()
    until(lambda: len(lines(place / "a")) > 100)
    assert lines(place / "b") == []
    return load


def assert_taken_over(second: Replica, place: Path, load: Load, earlier: list[str]) -> None:
    until(lambda: "is sent by this collector from now on" in second.said)
    sent = earlier + load.end()
    until(lambda: sent[-1] in lines(place / "b"))
    before, after = lines(place / "a"), lines(place / "b")
    assert list(dict.fromkeys([*before, *after])) == sent
    assert after == sent[-len(after) :]


def test_the_promise_is_what_postgresql_is_told() -> None:
    told = {name: int(value) for name, value in re.findall(r"-c tcp_(\w+)=(\d+)", postgres.LEASE)}
    idle, pause, count = (told[f"keepalives_{name}"] for name in ("idle", "interval", "count"))
    assert idle + pause * count <= PROMISED_SECONDS
    assert told["user_timeout"] <= PROMISED_SECONDS * 1000
