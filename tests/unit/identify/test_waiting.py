"""Events wait for their container's name: kept in order, bounded, and what does not fit is counted."""

from dataclasses import replace

import pytest

from driftline.identify import waiting
from driftline.identify.waiting import WaitingRoom
from driftline.nouns import Event, ExecEvent, File, Loss, OpenEvent, Origin, Process

PROCESS = Process(7, 7, 1, 0, 1, 0, 0, 0, "sh")
FILE = File("/bin/sh", Origin.IMAGE, 1, 2, 1, 0o100755, 3)
OPEN = OpenEvent(1, 10, PROCESS, 0, 0, b"", b"", FILE, 1)
EXEC = ExecEvent(1, 10, PROCESS, 0, 0, b"", b"", FILE, "sh", "", ("sh",), "/", "", (), 0, 0, 0, "", 0)


def opened(cgroup: int, at: int = 1) -> Event:
    return replace(OPEN, cgroup=cgroup, kernel_ns=at)


def executed(cgroup: int) -> Event:
    return replace(EXEC, cgroup=cgroup)


def test_events_come_back_in_order_and_only_their_containers() -> None:
    room = WaitingRoom()
    events = [opened(10, 1), executed(10), opened(10, 3)]
    for event in [*events, opened(11)]:
        assert room.hold(event, 0)
    assert room.count == 4
    assert room.release(10) == events
    assert room.release(10) == []
    assert room.count == 1
    assert room.losses() == []


def test_overdue_counts_from_the_first_event() -> None:
    room = WaitingRoom()
    room.hold(opened(10), 100)
    room.hold(opened(11), 150)
    room.hold(opened(10), 190)
    assert room.overdue(199, 100) == []
    assert room.overdue(200, 100) == [10]
    assert room.overdue(250, 100) == [10, 11]
    room.release(10)
    room.hold(opened(10), 300)
    assert room.overdue(300, 100) == [11]


def test_a_containers_files_leave_room_for_its_execs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_PER_CONTAINER", 5)
    monkeypatch.setattr(waiting, "FILES_PER_CONTAINER", 3)
    room = WaitingRoom()
    assert [room.hold(opened(10), 0) for _ in range(4)] == [True, True, True, False]
    assert [room.hold(executed(10), 0) for _ in range(3)] == [True, True, False]
    assert room.hold(opened(11), 0)
    assert room.losses() == [Loss("identify", "waiting_full", 2, 10)]
    assert room.losses() == []


def test_the_total_is_bounded_and_drops_are_counted_per_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_EVENTS", 3)
    room = WaitingRoom()
    assert [room.hold(opened(cgroup), 0) for cgroup in (10, 11, 12, 13, 10)] == [True, True, True, False, False]
    assert sorted(room.losses(), key=lambda loss: loss.cgroup) == [
        Loss("identify", "waiting_full", 1, 10),
        Loss("identify", "waiting_full", 1, 13),
    ]
    room.release(10)
    assert room.hold(opened(13), 0)


def test_more_containers_than_the_bound_are_counted_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_CONTAINERS", 1)
    room = WaitingRoom()
    assert [room.hold(opened(cgroup), 0) for cgroup in (10, 11, 12, 12)] == [True, False, False, False]
    assert sorted((loss.cgroup, loss.count) for loss in room.losses()) == [(0, 2), (11, 1)]
