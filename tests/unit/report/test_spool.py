"""The spool keeps what it took, in order, until it is acknowledged, and counts what it could not keep."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.errors import StateError
from driftline.nouns import Loss, Severity
from driftline.report import cursor
from driftline.report.clock import Moment
from driftline.report.cursor import Cursor
from driftline.report.segment import SEGMENT_BYTES
from driftline.report.spool import ISLANDS, Item, Spool
from unit.report.spooling import MIB, drain, files, ids, items, options


def test_entries_come_back_in_order_with_everything(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path))
    put = items(1000)
    assert spool.append(put[:600]) == (1, 600)
    assert spool.append(put[600:]) == (601, 400)
    entries = drain(spool)
    assert [Item(entry.severity, entry.id, entry.payload) for entry in entries] == put
    assert [entry.sequence for entry in entries] == list(range(1, 1001))
    assert (spool.more, spool.unsent, spool.losses()) == (False, 0, [])
    spool.close()


def test_a_restart_goes_on_where_the_collector_was(tmp_path: Path) -> None:
    spool, put = Spool(options(tmp_path)), items(10)
    spool.append(put)
    for _ in range(3):
        chunk = spool.read(2, MIB)
        assert chunk
        if chunk.first < 5:  # the third is sent and not acknowledged
            spool.acknowledge(chunk.first, chunk.last)
    spool.close()
    again = Spool(options(tmp_path))
    assert again.unsent == 6
    assert again.append(items(1))[0] == 11
    assert ids(drain(again))[:6] == ids(put[4:])
    again.close()
    last = Spool(options(tmp_path))
    assert not last.more
    assert last.append(items(1))[0] == 12  # numbers are not used again though no file is left
    last.close()


def test_what_overtakes_is_passed_over_and_remembered(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path))
    old, live, newer = items(4), items(3), items(2)
    spool.append(old)
    first, count = spool.append(live, overtaking=True)
    spool.append(newer)
    spool.acknowledge(first, first + count - 1)
    assert spool.unsent == 6
    spool.close()
    again = Spool(options(tmp_path))
    assert again.unsent == 6
    assert ids(drain(again)) == ids(old + newer)
    again.close()


def test_what_overtook_unacknowledged_comes_again_after_a_crash_in_order(tmp_path: Path) -> None:
    spool, old, live = Spool(options(tmp_path)), items(4), items(3)
    spool.append(old)
    spool.append(live, overtaking=True)
    spool.close()
    again = Spool(options(tmp_path))
    assert ids(drain(again)) == ids(old + live)
    again.close()


def test_intervals_are_bounded(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path))
    for _ in range(ISLANDS - 1):  # what was acknowledged before all of them is one too
        assert spool.may_overtake
        spool.append(items(1))
        spool.append(items(1), overtaking=True)
    assert not spool.may_overtake
    drain(spool)
    assert spool.may_overtake
    spool.close()


def test_delivered_files_go(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path))
    for _ in range(8):
        spool.append(items(100, size=8000))
    assert len(files(tmp_path)) == 4
    drain(spool)
    spool.tidy()
    assert len(files(tmp_path)) == 1
    spool.close()
    assert Spool(options(tmp_path)).counters()["spool.segments"] == 0


def test_no_file_is_longer_than_a_segment(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path))
    put = [Item(4, str(index), b"x" * size) for index, size in enumerate([MIB, MIB, 900_000, 5, MIB, 2_000, MIB])]
    spool.append(put)
    assert all(path.stat().st_size <= SEGMENT_BYTES for path in files(tmp_path))
    assert ids(drain(spool)) == ids(put)
    spool.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_cut_anywhere_all_before_is_kept_and_the_rest_is_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("cut")
    spool, put, ends = Spool(options(directory)), items(6, size=40), [0]
    for item in put:
        spool.append([item])
        ends.append(files(directory)[0].stat().st_size)
    spool.close()
    cut = data.draw(st.integers(0, ends[-1]))
    with files(directory)[0].open("r+b") as stream:
        stream.truncate(cut)
    whole = max(index for index, end in enumerate(ends) if end <= cut)
    again = Spool(options(directory))
    assert again.losses() == ([Loss("spool", "torn", 1)] if cut != ends[whole] else [])
    more = items(2)
    again.append(more)
    assert ids(drain(again)) == ids(put[:whole] + more)
    again.close()
    assert Spool(options(directory)).losses() == []  # the torn end is gone, not only passed over


def test_damage_in_the_middle_costs_the_entries_it_hit(tmp_path: Path) -> None:
    spool, put = Spool(options(tmp_path)), items(100)
    spool.append(put)
    spool.close()
    path = files(tmp_path)[0]
    data = bytearray(path.read_bytes())
    width = len(data) // 100
    for index in (0, 40, 41, 77):
        data[index * width + 50] ^= 0xFF
    path.write_bytes(data)
    again = Spool(options(tmp_path))
    assert again.losses() == [Loss("spool", "corrupt", 3)]  # 40 and 41 are one stretch
    assert ids(drain(again)) == [item.id for index, item in enumerate(put) if index not in (0, 40, 41, 77)]
    again.close()


def test_damage_while_the_agent_runs_is_counted_by_entry(tmp_path: Path) -> None:
    spool, put = Spool(options(tmp_path)), items(100)
    spool.append(put)
    data = bytearray(files(tmp_path)[0].read_bytes())
    for index in (40, 41, 99):
        data[index * (len(data) // 100) + 50] ^= 0xFF
    files(tmp_path)[0].write_bytes(data)
    assert ids(drain(spool, 7)) == [item.id for index, item in enumerate(put) if index not in (40, 41, 99)]
    assert spool.losses() == [Loss("spool", "corrupt", 3)]
    assert not spool.more
    spool.close()


@settings(max_examples=40, deadline=None)
@given(chance=st.randoms(use_true_random=False), flips=st.integers(1, 60))
def test_flipped_bits_never_crash_and_never_give_a_wrong_entry(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random, flips: int
) -> None:
    directory = tmp_path_factory.mktemp("flips")
    spool, put = Spool(options(directory)), items(50, size=80)
    spool.append(put)
    spool.close()
    for path in [*files(directory), directory / "spool" / cursor.NAME]:
        data = bytearray(path.read_bytes())
        for _ in range(flips):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    again = Spool(options(directory))
    found = [Item(entry.severity, entry.id, entry.payload) for entry in drain(again)]
    assert found == [item for item in put if item in set(found)]
    assert len(found) == 50 or again.losses()
    again.close()


def test_a_lost_cursor_means_again_not_never(tmp_path: Path) -> None:
    spool, put = Spool(options(tmp_path)), items(5)
    spool.append(put)
    drain(spool)
    spool.save()
    spool.append(more := items(5))
    spool.close()
    (tmp_path / "spool" / cursor.NAME).write_bytes(b"nonsense")
    again = Spool(options(tmp_path))
    assert ids(drain(again)) == ids(put + more)
    again.close()


def test_a_cursor_ahead_of_the_files_never_swallows_new_entries(tmp_path: Path) -> None:
    """After a power failure the cursor may have survived and the entries not."""
    (tmp_path / "spool").mkdir()
    cursor.save(tmp_path / "spool", Cursor([(0, 5000)], 1, Moment(0, "", 0)), False)
    spool = Spool(options(tmp_path))
    spool.append(put := items(3))
    assert ids(drain(spool)) == ids(put)
    spool.close()


def flood(spool: Spool, severities: list[int], size: int = 900) -> dict[int, list[str]]:
    """Append entries of these severities; return their ids."""
    put: dict[int, list[str]] = {severity: [] for severity in severities}
    for begin in range(0, len(severities), 500):
        chunk = [items(1, severity, size)[0] for severity in severities[begin : begin + 500]]
        assert spool.append(chunk)[1] == len(chunk)
        for item in chunk:
            put[item.severity].append(item.id)
    return put


def test_when_full_the_oldest_of_the_lowest_go_first_and_are_counted_exactly(tmp_path: Path) -> None:
    capacity = 16 * MIB
    spool = Spool(options(tmp_path, capacity=capacity))
    chance = random.Random(7)
    put = flood(spool, chance.choices([0, 1, 2, 3, 4], [30, 40, 20, 8, 2], k=40_000))
    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) <= capacity
    figures = spool.counters()
    kept: dict[int, list[str]] = {severity: [] for severity in range(5)}
    for entry in drain(spool):
        kept[entry.severity].append(entry.id)
    assert (kept[3], kept[4]) == (put[3], put[4])
    assert len(kept[0]) * 900 <= SEGMENT_BYTES  # the file that is still being written is not looked at
    for severity in Severity:
        rank = severity.rank
        assert len(kept[rank]) + figures[f"spool.dropped.{severity}"] == len(put[rank])
        assert kept[rank] == put[rank][len(put[rank]) - len(kept[rank]) :]  # the newest stayed
    dropped = sum(len(put[rank]) - len(kept[rank]) for rank in range(5))
    assert spool.losses() == [Loss("spool", "dropped", dropped)]
    assert dropped > 20_000
    spool.close()


def test_what_is_full_of_urgent_ones_gives_up_what_comes_less_urgent(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path, capacity=16 * MIB))
    urgent = flood(spool, [4] * 12_000)
    figures = spool.counters()
    flood(spool, [0] * 20_000)
    kept = ids(drain(spool))
    assert set(urgent[4][figures["spool.dropped.critical"] :]) <= set(kept)
    assert spool.counters()["spool.dropped.critical"] == figures["spool.dropped.critical"]
    spool.close()


def test_a_full_spool_keeps_few_files(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path, capacity=16 * MIB))
    flood(spool, ([0] * 99 + [4]) * 600)
    assert len(files(tmp_path)) <= 2 * 16 * MIB // SEGMENT_BYTES
    spool.close()


def test_what_is_on_its_way_or_delivered_is_not_counted_as_dropped(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path, capacity=16 * MIB))
    flood(spool, [0] * 2_000)
    delivered = spool.read(500, 8 * MIB)
    on_its_way = spool.read(500, 8 * MIB)
    assert delivered
    assert on_its_way
    spool.acknowledge(delivered.first, delivered.last)
    flood(spool, [0] * 30_000)
    spool.acknowledge(on_its_way.first, on_its_way.last)
    rest = len(drain(spool))
    (loss,) = spool.losses()
    assert loss.count + len(delivered.entries) + len(on_its_way.entries) + rest == 32_000
    spool.close()


def test_what_was_delivered_takes_no_room_in_a_file_that_shrinks(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path, capacity=16 * MIB))
    spool.append(old := items(1, size=1200))  # keeps its file from being removed as a whole
    first, count = spool.append(items(1000, severity=4, size=1200), overtaking=True)
    spool.acknowledge(first, first + count - 1)
    flood(spool, [0] * 40_000)
    assert files(tmp_path)[0].stat().st_size < 1200 * 500
    assert ids(drain(spool))[0] == old[0].id
    spool.close()


def test_a_crash_between_rewriting_and_removing_doubles_nothing(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path, capacity=16 * MIB))
    flood(spool, [4, 0] * 6_000)
    before = {path.name: path.read_bytes() for path in files(tmp_path)}
    flood(spool, [4, 0] * 6_000)
    spool.close()
    for name, data in before.items():  # as if no file had been removed yet
        (tmp_path / "spool" / name).write_bytes(data)
    again = Spool(options(tmp_path))
    waiting = again.unsent
    entries = drain(again)
    assert len(entries) == waiting
    assert len({entry.id for entry in entries}) == len(entries)
    assert [entry.sequence for entry in entries] == sorted(entry.sequence for entry in entries)
    assert sum(entry.severity == 4 for entry in entries) == 12_000
    again.close()


def test_old_entries_go_and_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("driftline.report.clock.time.clock_gettime", lambda _clock: now)
    spool = Spool(options(tmp_path, days=2.0))
    spool.append(items(5, severity=1))
    now += 2 * 86_400 - 1
    spool.tidy()
    assert spool.losses() == []
    now += 10
    spool.tidy()
    assert spool.losses() == [Loss("spool", "expired", 5)]
    assert spool.counters()["spool.expired.low"] == 5
    assert not drain(spool)
    spool.append(put := items(1))
    assert ids(drain(spool)) == ids(put)
    spool.close()


def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, put = Spool(options(tmp_path, days=1.0)), items(5)
    spool.append(put)
    for wall in (0.0, 4e9):
        monkeypatch.setattr("time.time", lambda wall=wall: wall)
        monkeypatch.setattr("time.time_ns", lambda wall=wall: int(wall * 1e9))
        spool.tidy()
    spool.close()
    again = Spool(options(tmp_path, days=1.0))
    again.tidy()
    assert ids(drain(again)) == ids(put)
    assert again.losses() == []
    again.close()


def test_two_agents_do_not_share_a_spool(tmp_path: Path) -> None:
    spool = Spool(options(tmp_path))
    with pytest.raises(StateError, match="used by another agent"):
        Spool(options(tmp_path))
    spool.close()
    Spool(options(tmp_path)).close()


def test_a_directory_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    with pytest.raises(StateError, match="cannot be used"):
        Spool(options(tmp_path))


def test_an_unreadable_file_is_counted_and_stays(tmp_path: Path) -> None:
    spool, put = Spool(options(tmp_path)), items(400, size=8000)
    spool.append(put)
    spool.close()
    first = files(tmp_path)[0]
    first.rename(aside := tmp_path / "aside")
    first.mkdir()  # reading a directory fails, as a bad sector does, for root too
    again = Spool(options(tmp_path))
    assert again.losses() == [Loss("spool", "unreadable", 1)]
    left = ids(drain(again))
    assert 0 < len(left) < 400
    assert left == ids(put)[400 - len(left) :]
    again.close()
    assert aside.exists()


@pytest.mark.parametrize("policy", ["always", "batch", "never"])
def test_when_bytes_are_synced(tmp_path: Path, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("driftline.report.flushing.os.fsync", synced.append)
    spool = Spool(options(tmp_path, fsync=policy))
    synced.clear()
    spool.append(items(1))
    at_once = len(synced)
    spool.sync()
    assert (at_once, len(synced)) == {"always": (2, 2), "batch": (0, 2), "never": (0, 0)}[policy]
    assert not spool.dirty
    spool.append(items(1))
    spool.sync()
    assert len(synced) == {"always": 3, "batch": 3, "never": 0}[policy]
    spool.close()


def test_a_disk_that_refuses_to_sync_is_counted_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    spool = Spool(options(tmp_path, fsync="batch"))
    monkeypatch.setattr("driftline.report.flushing.os.fsync", refuse)
    for _ in range(2):
        spool.append(items(1))
        spool.sync()
    assert spool.losses() == [Loss("spool", "sync_failed", 2)]
    assert len(caplog.messages) == 1
    monkeypatch.undo()
    spool.close()
