"""What is kept and for how long, on both databases; ingest goes on meanwhile."""

from __future__ import annotations

import inspect
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.cluster import Cluster
from collector.rig import PATIENCE, listing, sink, until
from driftline.cli.collector import command
from driftline.nouns import Severity
from driftline.wire.client import CollectorClient
from driftline.wire.convert import SEVERITY_TO_WIRE
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector import retention, store_clock
from driftline_collector.retention import DAY_SECONDS, Clock, Keep
from driftline_collector.server import Collector
from driftline_collector.storage import Keeping
from driftline_collector.store_address import parse_store
from driftline_collector.store_changes import ROW_BYTES
from driftline_collector.store_postgres import PostgresStore
from driftline_collector.store_sqlite import SqliteStore
from unit.wire import samples

Start = Callable[[Keep], str]
LEAST_URGENT_FIRST = sorted(Severity, key=lambda severity: severity.rank)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """What ``--store`` says."""
    if request.param == "sqlite":
        return ""
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.url(request.getfixturevalue("database"))


@pytest.fixture
def execute(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], object]:
    """Runs a statement on the database itself."""
    if url:
        cluster, database = request.getfixturevalue("cluster"), request.getfixturevalue("database")
        return lambda statement: cluster.execute(database, statement)

    def run(statement: str) -> object:
        with closing(sqlite3.connect(tmp_path / "collector.db")) as connection, connection:
            return connection.execute(statement).fetchall()

    return run


@pytest.fixture
def start(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a collector, after the one before has stopped."""
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.05)
    running: list[Collector] = []

    def restart(keep: Keep) -> str:
        if running:
            running.pop().stop()
        running.append(Collector(tmp_path, keeping=Keeping(parse_store(url), keep)))
        return running[-1].start()

    yield restart
    running.pop().stop()


def counters(address: str) -> dict[str, int]:
    client = CollectorClient(address)
    try:
        return {name: value for name, value in client.list_agents().access.items() if name.startswith("store.")}
    finally:
        client.close()


def warnings(address: str) -> list[str]:
    client = CollectorClient(address)
    try:
        return list(client.list_agents().warnings)
    finally:
        client.close()


def deliver(address: str, count: int, **changes: object) -> list[str]:
    agent, sent = sink(address), list[str]()
    for i in range(count):
        severity = LEAST_URGENT_FIRST[i % len(LEAST_URGENT_FIRST)]
        sent.append((one := samples.deviation(**{"severity": severity, **changes})).id)
        agent.submit(one)
    agent.stop(PATIENCE)
    assert agent.losses() == []
    return sent


def ids(address: str) -> list[str]:
    return [item.deviation.id for item in listing(address)][::-1]


def test_what_is_older_than_the_limit_goes_by_the_collectors_clock(
    start: Start, execute: Callable[[str], object]
) -> None:
    """The node's own clock says 1970 for all of them."""
    address = start(Keep(days=0))
    old = deliver(address, 1203, last_wall_ns=1, first_wall_ns=1)
    execute(f"UPDATE deviations SET stored_s = stored_s - {31 * DAY_SECONDS}")
    new = deliver(address, 57, last_wall_ns=1, first_wall_ns=1)
    address = start(Keep(days=30))
    until(lambda: ids(address) == new)
    until(lambda: sum(value for name, value in counters(address).items() if ".age." in name) == len(old))
    figures = {"store.bytes", "store.clock_jumps"}
    assert set(counters(address)) == {*figures, *(f"store.removed.age.{one.value}" for one in Severity)}
    assert warnings(address) == []
    address = start(Keep(days=30))  # the count is kept with the store
    until(lambda: sum(value for name, value in counters(address).items() if ".age." in name) == len(old))


def test_the_least_severe_go_first_when_space_is_short(start: Start) -> None:
    address = start(Keep(bytes=0))
    sent = deliver(address, 5000, argv=("x" * 400,))
    taken = sum(item.deviation.ByteSize() + ROW_BYTES for item in listing(address))
    until(lambda: counters(address)["store.bytes"] == taken)
    limit = taken * 2 // 3
    address = start(Keep(bytes=limit))
    until(lambda: 0 < counters(address).get("store.bytes", 0) <= limit)
    left = listing(address)
    urgent = {SEVERITY_TO_WIRE[severity] for severity in (Severity.HIGH, Severity.CRITICAL)}
    assert sum(item.deviation.severity in urgent for item in left) == 2000
    assert 2000 < len(left) < 4500
    by_severity = {item.deviation.severity for item in left}
    lowest = min(by_severity)
    kept = [item.deviation.id for item in left if item.deviation.severity == lowest][::-1]
    of_lowest = [id for i, id in enumerate(sent) if SEVERITY_TO_WIRE[LEAST_URGENT_FIRST[i % 5]] == lowest]
    assert kept == of_lowest[-len(kept) :]  # of the lowest that is left, the oldest have gone
    (warning,) = warnings(address)
    assert "--keep-bytes" in warning


def test_revisions_go_on_after_everything_was_removed(start: Start, execute: Callable[[str], object]) -> None:
    """A cursor from before must not hide what comes after."""
    address = start(Keep(days=0))
    deliver(address, 100)
    last = listing(address)[0].revision
    execute("UPDATE deviations SET stored_s = 1")
    address = start(Keep(days=1))
    until(lambda: len(listing(address)) == 1)  # the newest stays
    address = start(Keep(days=1))
    client = CollectorClient(address)
    (response, *_) = client.tail(pb.TailRequest(replay=True))
    deliver(address, 1)
    assert listing(address)[0].revision == last + 1
    resume = pb.Cursor(store_id=response.cursor.store_id, revision=last)
    found = [item for answer in client.tail(pb.TailRequest(resume=resume)) for item in answer.deviations]
    client.close()
    assert [item.revision for item in found] == [last + 1]


def test_ingest_goes_on_while_much_is_removed(start: Start, execute: Callable[[str], object]) -> None:
    """No batch waits for more than a step."""
    address = start(Keep(days=0))
    deliver(address, 20_000)
    execute("UPDATE deviations SET stored_s = 1")
    address = start(Keep(days=1))
    sent, waits = list[str](), list[float]()
    client, agent = CollectorClient(address), sink(address)
    tail = iter(client.tail(pb.TailRequest(follow=True)))
    next(tail)
    while len(waits) < 10 or sum(counters(address).values()) < 1000:
        begun = time.monotonic()
        agent.submit(one := samples.deviation())
        sent.append(one.id)
        (item,) = next(tail).deviations
        assert item.deviation.id == one.id
        waits.append(time.monotonic() - begun)
    until(lambda: len(listing(address)) == len(sent))
    assert ids(address) == sent
    assert max(waits) < PATIENCE / 2  # no timing test: a single DELETE, or a lock held throughout, would be told apart
    client.close()
    agent.stop(PATIENCE)


def test_agents_long_gone_are_forgotten(start: Start, url: str, execute: Callable[[str], object]) -> None:
    address = start(Keep(days=0))
    for node in ("node-a", "node-b"):
        sink(address, node).stop(PATIENCE)
    gone = pb.AgentStatus(hello=pb.Hello(node="node-a"), last_seen_wall_ns=1).SerializeToString().hex()
    literal = f"'\\x{gone}'" if url else f"x'{gone}'"
    start(Keep(days=0))  # what the last one stored is stored
    execute(f"UPDATE agents SET body = {literal} WHERE node = 'node-a'")
    address = start(Keep(days=1))
    client = CollectorClient(address)
    until(lambda: [one.hello.node for one in client.list_agents().agents] == ["node-b"])
    client.close()
    until(lambda: str(execute("SELECT node FROM agents")) == "[('node-b',)]")


def test_the_command_line_has_the_same_limits() -> None:
    parameters = inspect.signature(command).parameters
    assert Keep() == Keep(parameters["keep_days"].default, parameters["keep_bytes"].default)


def removed(address: str) -> int:
    """Return how many went for their age, once the retention has looked."""
    client = CollectorClient(address)
    try:
        until(lambda: "store.clock_jumps" in client.list_agents().access)
    finally:
        client.close()
    return sum(value for name, value in counters(address).items() if ".age." in name)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Has the databases' wall clock show so many days more than the right one from the next start on."""

    def set_by(days: float) -> None:
        for store in (SqliteStore, PostgresStore):
            monkeypatch.setattr(store, "wall_s", lambda _self: time.time() + days * DAY_SECONDS)

    return set_by


def test_what_is_stored_while_the_clock_is_set_back_is_kept_when_it_is_right_again(
    start: Start, set_clock: Callable[[float], None]
) -> None:
    sent = deliver(start(Keep(days=30)), 20)
    set_clock(-400)
    sent += deliver(start(Keep(days=30)), 20)
    sent += deliver(start(Keep(days=30)), 20)
    set_clock(0)
    address = start(Keep(days=30))
    assert removed(address) == 0
    assert ids(address) == sent
    assert warnings(address) == []  # it was no absence
    assert counters(address)["store.clock_jumps"] == 0


def test_a_clock_a_year_ahead_removes_nothing_at_once_and_is_told(
    start: Start, set_clock: Callable[[float], None]
) -> None:
    sent = deliver(start(Keep(days=30)), 20)
    set_clock(+365)
    address = start(Keep(days=30))
    assert removed(address) == 0
    (warning,) = warnings(address)
    assert warning == "the clock is 365 days ahead of when the store was last in use: 7 of them count as age"
    assert counters(address)["store.clock_jumps"] == 1
    for _ in range(5):  # the week counts once, not at each start
        address = start(Keep(days=30))
        assert removed(address) == 0
    assert ids(address) == sent


def test_what_is_stored_after_a_clock_was_ahead_grows_old_in_time(
    start: Start, set_clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is stored before, meanwhile and after nothing stays new for a year."""
    set_clock(0)
    old = deliver(start(Keep(days=30)), 20)
    set_clock(+365)
    old += deliver(start(Keep(days=30)), 20)
    set_clock(0)
    address = start(Keep(days=30))
    old += deliver(address, 20)
    booted = store_clock._since_boot
    monkeypatch.setattr(store_clock, "_since_boot", lambda: booted() + 20 * DAY_SECONDS)  # it runs on
    new = deliver(address, 20)
    assert ids(address) == old + new
    monkeypatch.setattr(store_clock, "_since_boot", lambda: booted() + 31 * DAY_SECONDS)
    until(lambda: ids(address) == new)
    until(lambda: removed(address) == len(old))


def test_a_long_absence_counts_for_a_week(start: Start, set_clock: Callable[[float], None]) -> None:
    """Also a backup that is restored after a year is there to look at."""
    sent = deliver(start(Keep(days=8)), 20)
    set_clock(+6)
    address = start(Keep(days=8))
    assert removed(address) == 0
    assert warnings(address) == []
    set_clock(+9)
    address = start(Keep(days=8))
    until(lambda: ids(address) == sent[-1:])  # six and three days: the newest one always stays
    assert warnings(address) == []


def test_a_clock_that_was_set_is_not_trusted_for_a_day(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(wall_s=1_000_000.0, boot_s=100.0)
    assert clock.trusted(1_000_005.0, 105.0)
    assert not clock.trusted(1_000_010.0 + 400 * DAY_SECONDS, 110.0)  # set to next year
    assert not clock.trusted(1_000_015.0 + 400 * DAY_SECONDS, 115.0)
    assert "the clock was set by +34560000 s; deviations grow old as if it had not been" in caplog.text
    assert clock.jumps == 1
    assert not clock.trusted(1_000_020.0, 120.0)  # and back
    assert not clock.trusted(1_000_020.0 + DAY_SECONDS - 1, 119.0 + DAY_SECONDS)
    assert clock.trusted(1_000_020.0 + DAY_SECONDS, 120.0 + DAY_SECONDS)


def test_a_machine_that_slept_is_no_clock_that_was_set() -> None:
    assert Clock(0.0, 0.0).trusted(100 * DAY_SECONDS, 100 * DAY_SECONDS)
