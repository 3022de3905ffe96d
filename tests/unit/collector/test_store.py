"""The store: one state per deviation, one place for each change, and clear words when it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.errors import StateError
from driftline.nouns import Kind, Severity, Subject
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector import store as store_module
from driftline_collector.filters import DeviationFilter
from driftline_collector.store_sqlite import SqliteStore as Store
from unit.wire import samples

EVERYTHING = DeviationFilter(pb.DeviationFilter())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path)
    yield opened
    opened.close()


def message(**changes: object) -> deviation_pb2.Deviation:
    return deviation_to_wire(samples.deviation(**changes))


def stored(store: Store) -> list[tuple[int, str, int]]:
    page = store.forward(EVERYTHING, 0, store.revision, 1000)
    return [(item.revision, item.deviation.id, item.deviation.count) for item in page.deviations]


def test_what_is_committed_is_read_back_whole(store: Store) -> None:
    original = message(what=samples.HOSTILE)
    store.commit([original], [])
    assert store.forward(EVERYTHING, 0, 1, 10).deviations == [pb.StoredDeviation(revision=1, deviation=original)]


def test_a_repeat_raises_count_and_takes_a_new_place(store: Store) -> None:
    store.commit([message(id="a"), message(id="b")], [])
    changes = store.commit([message(id="a", count=5)], [])
    assert [(change.revision, change.deviation.count) for change in changes] == [(3, 5)]
    assert stored(store) == [(2, "b", 1), (3, "a", 5)]


def test_delivered_again_is_no_change(store: Store) -> None:
    sent = [message(id="a", count=5), message(id="b")]
    store.commit(sent, [])
    assert store.commit([*sent, message(id="a", count=2, last_wall_ns=1, last_kernel_ns=1)], []) == []
    assert stored(store) == [(1, "a", 5), (2, "b", 1)]


def test_count_and_last_times_never_fall(store: Store) -> None:
    store.commit([message(id="a", count=5, last_wall_ns=10, last_kernel_ns=30)], [])
    (change,) = store.commit([message(id="a", count=3, last_wall_ns=20, last_kernel_ns=20)], [])
    assert (change.deviation.count, change.deviation.last_wall_ns, change.deviation.last_kernel_ns) == (5, 20, 30)


def test_several_states_in_one_commit_are_one_change(store: Store) -> None:
    changes = store.commit([message(id="a"), message(id="b"), message(id="a", count=3)], [])
    assert [(change.deviation.id, change.deviation.count) for change in changes] == [("a", 3), ("b", 1)]


def test_one_node_cannot_overwrite_what_another_reported(store: Store) -> None:
    store.commit([message(id="a", node="n1", what="/true")], [])
    store.commit([message(id="a", node="n2", what="/false", count=9)], [])
    page = store.forward(EVERYTHING, 0, 2, 10)
    assert [(item.deviation.node, item.deviation.what) for item in page.deviations] == [
        ("n1", "/true"),
        ("n2", "/false"),
    ]


@settings(deadline=None, max_examples=30)
@given(states=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), max_size=20), cuts=st.integers(1, 5))
def test_any_order_of_delivery_ends_in_the_highest_count(
    tmp_path_factory: pytest.TempPathFactory, states: list[tuple[str, int]], cuts: int
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    try:
        for start in range(0, len(states), cuts):
            batch = [message(id=name, count=count, last_wall_ns=1) for name, count in states[start : start + cuts]]
            store.commit(batch, [])
        highest = {name: max(count for other, count in states if other == name) for name, _ in states}
        assert {name: count for _, name, count in stored(store)} == highest
        revisions = [revision for revision, _, _ in stored(store)]
        assert revisions == sorted(set(revisions))
    finally:
        store.close()


def test_reopening_goes_on_where_it_ended(tmp_path: Path) -> None:
    first = Store(tmp_path)
    first.commit([message(id="a")], [pb.AgentStatus(hello=pb.Hello(node="n1"))])
    first.close()
    second = Store(tmp_path)
    assert (second.revision, second.store_id) == (1, first.store_id)
    assert [status.hello.node for status in second.agents()] == ["n1"]
    second.commit([message(id="b")], [])
    assert [revision for revision, _, _ in stored(second)] == [1, 2]
    second.close()


def test_pages_forward_and_backward_see_everything_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SCAN_REVISIONS", 7)
    store.commit([message(severity=Severity.HIGH if i % 5 else Severity.LOW) for i in range(53)], [])
    low = DeviationFilter(pb.DeviationFilter(minimum_severity=deviation_pb2.SEVERITY_HIGH))
    forward, position = list[int](), 0
    while position < store.revision:
        page = store.forward(low, position, store.revision, 3)
        forward += [item.revision for item in page.deviations]
        position = page.reached
    backward, before = list[int](), None
    while before is None or before > 1:
        page = store.backward(low, before, 3)
        backward += [item.revision for item in page.deviations]
        before = page.reached
    assert forward == [i + 1 for i in range(53) if i % 5]
    assert backward == forward[::-1]


def test_a_deviation_that_changes_while_somebody_looks_is_not_missed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets a new revision between the look for the newest one and the look at the table."""
    store.commit([message(id="a")], [])
    newest = store.newest()

    def changes() -> int:
        store.commit([message(id="a", count=2)], [])
        return newest

    monkeypatch.setattr(store, "newest", changes)
    page = store.backward(DeviationFilter(pb.DeviationFilter()), None, 10)
    assert [(item.revision, item.deviation.count) for item in page.deviations] == [(2, 2)]


def test_the_revision_before_a_moment(store: Store) -> None:
    store.commit([message(last_wall_ns=100), message(last_wall_ns=200), message(last_wall_ns=300)], [])
    assert [store.revision_before(moment) for moment in (1, 200, 250, 999)] == [0, 1, 2, 3]


def test_sql_only_leaves_out_what_the_filter_would(store: Store) -> None:
    """Whatever the filter matches must survive the SQL conditions, odd names included."""
    subjects = [Subject(1, "/x", namespace=name) for name in ("", "shop", "sh%p", "SHOP", samples.HOSTILE)]
    messages = [
        message(kind=kind, node=node, severity=severity, subject=subject)
        for kind in (Kind.EXEC_DRIFT, Kind.FILE_WRITE_CODE, Kind.FILE_WRITE_UNKNOWN)
        for node in ("n1", "N1")
        for severity in (Severity.INFO, Severity.CRITICAL)
        for subject in subjects
    ]
    store.commit(messages, [])
    for wanted in (
        pb.DeviationFilter(kinds=["exec"]),
        pb.DeviationFilter(kinds=["file.write", "exec.drift"], node="n1"),
        pb.DeviationFilter(minimum_severity=deviation_pb2.SEVERITY_CRITICAL, namespace="sh%p"),
        pb.DeviationFilter(namespace=messages[4].subject.namespace),
    ):
        expected = [item.id for item in messages if DeviationFilter(wanted).matches(item)]
        assert 0 < len(expected) < len(messages)
        found = store.forward(DeviationFilter(wanted), 0, store.revision, 1000).deviations
        assert [item.deviation.id for item in found] == expected


def test_a_second_collector_on_the_same_directory_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="another collector uses"):
        Store(tmp_path)


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "collector.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError, match="schema 99"):
        Store(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "collector.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StateError, match="file is not a database"):
        Store(tmp_path)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot use the state directory"):
        Store(tmp_path / "file" / "state")


def test_a_full_disk_loses_nothing_that_was_there_and_says_so(store: Store) -> None:
    store.commit([message(id="a")], [])
    with store._writer.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match="full"):
        store.commit([message(argv=("x" * 100_000,))], [])
    with store._writer.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    store.commit([message(id="b")], [])
    assert stored(store) == [(1, "a", 1), (2, "b", 1)]


def test_a_checkpoint_moves_the_log_into_the_database(store: Store, tmp_path: Path) -> None:
    before = (tmp_path / "collector.db").stat().st_size
    store.commit([message() for _ in range(500)], [])
    store.checkpoint()
    assert (tmp_path / "collector.db").stat().st_size > before + 100_000
    store.commit([message(id="after")], [])
    assert stored(store)[-1] == (501, "after", 1)
