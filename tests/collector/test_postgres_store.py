"""The PostgreSQL store keeps every promise of the SQLite store, and the order of changes over several replicas."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from collector.cluster import PASSWORD, Cluster
from collector.rig import until
from driftline.errors import StateError
from driftline_collector import postgres, store_changes, store_postgres
from driftline_collector.store_address import PostgresAddress, parse_store
from driftline_collector.store_postgres import PostgresStore
from unit.collector.test_store import (  # noqa: F401 - they run here too, on the store of this module
    EVERYTHING,
    message,
    stored,
    test_a_repeat_raises_count_and_takes_a_new_place,
    test_count_and_last_times_never_fall,
    test_delivered_again_is_no_change,
    test_one_node_cannot_overwrite_what_another_reported,
    test_pages_forward_and_backward_see_everything_once,
    test_several_states_in_one_commit_are_one_change,
    test_sql_only_leaves_out_what_the_filter_would,
    test_the_revision_before_a_moment,
    test_what_is_committed_is_read_back_whole,
)


def address(url: str) -> PostgresAddress:
    parsed = parse_store(url)
    assert parsed is not None
    return parsed


@pytest.fixture
def replica(cluster: Cluster, database: str) -> Iterator[Callable[[], PostgresStore]]:
    """Opens one more store on the same database."""
    stores: list[PostgresStore] = []

    def open_one() -> PostgresStore:
        stores.append(PostgresStore(address(cluster.url(database))))
        return stores[-1]

    yield open_one
    for one in stores:
        one.close()


@pytest.fixture
def store(replica: Callable[[], PostgresStore]) -> PostgresStore:
    return replica()


def test_reopening_goes_on_where_it_ended(replica: Callable[[], PostgresStore]) -> None:
    first = replica()
    first.commit([message(id="a")], [])
    second = replica()
    assert (second.revision, second.store_id) == (1, first.store_id)
    second.commit([message(id="b")], [])
    first.commit([message(id="c"), message(id="b", count=2)], [])
    assert stored(first) == [(1, "a", 1), (3, "c", 1), (4, "b", 2)]


def test_an_id_delivered_to_several_replicas_is_stored_once(replica: Callable[[], PostgresStore]) -> None:
    """An agent that lost its connection sends again, to another replica, what the first is still committing."""
    replicas = [replica() for _ in range(3)]
    batches = [[message(id=f"{i}", count=count) for i in range(200)] for count in (1, 2, 3)]
    with ThreadPoolExecutor(3) as threads:
        for _ in range(5):
            list(threads.map(lambda pair: pair[0].commit(pair[1], []), zip(replicas, batches, strict=True)))
    last = replicas[0].newest()
    page = replicas[0].forward(EVERYTHING, 0, last, 1000)
    assert sorted(item.deviation.id for item in page.deviations) == sorted(str(i) for i in range(200))
    assert {item.deviation.count for item in page.deviations} == {3}


def test_what_a_reader_has_passed_never_fills_up_later(replica: Callable[[], PostgresStore]) -> None:
    """Three replicas commit without pause, with delays inside the transaction; a reader only ever reads on."""
    writers = [replica() for _ in range(3)]
    reader, ended, seen = replica(), threading.Event(), dict[int, str]()

    def write(writer: PostgresStore) -> None:
        chance = random.Random(writers.index(writer))
        for i in range(60):
            writer.commit([message(id=f"{writers.index(writer)}-{i}-{j}") for j in range(chance.randint(1, 20))], [])

    def read() -> None:
        position = 0
        while not (ended.is_set() and position == reader.newest()):
            page = reader.forward(EVERYTHING, position, reader.newest(), 37)
            seen.update((item.revision, item.deviation.id) for item in page.deviations)
            position = page.reached

    with ThreadPoolExecutor(4) as threads:
        reading = threads.submit(read)
        list(threads.map(write, writers))
        ended.set()
        reading.result()
    everything = [reader.forward(EVERYTHING, at, reader.newest(), 1000) for at in range(0, reader.newest(), 1000)]
    assert seen == {item.revision: item.deviation.id for page in everything for item in page.deviations}
    assert sorted(seen) == list(range(1, len(seen) + 1))


def test_a_commit_that_is_late_holds_back_the_ones_after_it(
    replica: Callable[[], PostgresStore], cluster: Cluster, database: str
) -> None:
    """Replica 1 has chosen revision 1 and hangs before its commit: nobody may read 2 before 1 is there."""
    slow, fast = replica(), replica()
    with psycopg.connect(cluster.url(database)) as held:  # a replica in the middle of its transaction
        held.execute(store_postgres._LOCK.encode())
        held.execute(
            "INSERT INTO deviations VALUES (1, 'late', 'n', 1, 'k', '', 1, 1, 1, '', %s, 1)",
            [message(id="late").SerializeToString()],
        )
        with ThreadPoolExecutor(1) as threads:
            other = threads.submit(fast.commit, [message(id="next")], [])
            time.sleep(0.5)
            assert (other.done(), slow.newest()) == (False, 0)
            held.commit()
            other.result(60)
    assert [(revision, id) for revision, id, _ in stored(fast)] == [(1, "late"), (2, "next")]


def test_removal_keeps_the_account_of_what_is_used(store: PostgresStore, cluster: Cluster, database: str) -> None:
    counted = f"SELECT coalesce(sum(octet_length(body) + {store_changes.ROW_BYTES}), 0)::bigint FROM deviations"

    def is_right() -> bool:
        return cluster.execute(database, counted) == [(store.used_bytes(),)]

    store.commit([message(id=f"{i}") for i in range(50)], [])
    assert is_right()
    store.commit([message(id="3", count=9, argv=("x" * 5000,)), message(id="new")], [])
    assert is_right()
    assert store.used_bytes() > 5000
    old = store.least(20)
    store.commit([message(id="0", count=2)], [])  # the first of them has changed meanwhile: it stays
    assert len(store.remove(old, "size")) == 19
    assert is_right()
    assert store.counters() == {"removed.size.high": 19}
    assert "0" in [id for _, id, _ in stored(store)]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("UPDATE alembic_version SET version_num = '0099'", "has schema 99, this driftline knows those up to"),
        ("UPDATE alembic_version SET version_num = '0001'", "has schema 1, this driftline writes"),
        ("UPDATE alembic_version SET version_num = 'ae1027a6acf'", "which is not Driftline's"),
    ],
)
def test_tables_of_another_version_are_refused(
    store: PostgresStore, cluster: Cluster, database: str, prepare: str, said: str
) -> None:
    cluster.execute(database, prepare)
    with pytest.raises(StateError, match=said):
        PostgresStore(store.address)


def test_a_database_that_cannot_hold_every_name_is_refused(cluster: Cluster) -> None:
    name = cluster.create("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StateError, match="has the encoding LATIN1"):
        PostgresStore(address(cluster.url(name)))
    cluster.drop(name)


def test_two_that_start_at_the_same_moment_make_the_tables_once(cluster: Cluster, database: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: PostgresStore(address(cluster.url(database))), range(4)))
    assert len({one.store_id for one in stores}) == 1
    for one in stores:
        one.close()


def test_a_password_comes_from_its_file_and_is_never_told(
    cluster: Cluster, database: str, tmp_path: object, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "password"  # type: ignore[operator]
    file.touch(mode=0o600)
    file.write_text("wrong-" + PASSWORD)
    url = cluster.url(database, tcp=True)
    with pytest.raises(StateError, match="password authentication failed") as refused:
        PostgresStore(parse_store(url, file))  # type: ignore[arg-type]
    assert "--store-password-file" in refused.value.hint
    file.write_text(PASSWORD + "\n")
    store = PostgresStore(parse_store(url, file))  # type: ignore[arg-type]
    store.commit([message()], [])
    store.close()
    assert PASSWORD not in repr(store.address) + str(refused.value) + "".join(capfd.readouterr())


def test_a_reader_survives_a_lost_connection(store: PostgresStore, cluster: Cluster, database: str) -> None:
    store.commit([message(id="a")], [])
    assert stored(store)
    others = f"datname = '{database}' AND pid != pg_backend_pid()"
    cluster.execute(database, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    assert stored(store) == [(1, "a", 1)]
    with pytest.raises(StateError, match="cannot use the store"):
        store.commit([message(id="b")], [])
    until(lambda: store.commit([message(id="b")], []))
    assert stored(store) == [(1, "a", 1), (2, "b", 1)]


def test_a_reader_that_connects_while_the_store_closes_leaves_no_connection(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting, closed, made = threading.Event(), threading.Event(), list[postgres.Connection]()
    connect = postgres.connect

    def late(*arguments: Any) -> postgres.Connection:
        made.append(connect(*arguments))
        connecting.set()
        assert closed.wait(60)
        return made[-1]

    store._readers.dispose()
    monkeypatch.setattr(postgres, "connect", late)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(store.newest)
        assert connecting.wait(60)
        store.close()
        closed.set()
        with pytest.raises(StateError, match="cannot use the store"):
            reading.result()
    assert made
    assert all(one.closed for one in made)
