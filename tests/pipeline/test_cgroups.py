"""Which cgroup is whose: nested ones, pods, monitors, ones that come and go."""

from __future__ import annotations

import pytest

from driftline.identify import subjects
from driftline.identify.subjects import TOMBSTONE_NS
from driftline.nouns import Kind, Origin
from pipeline.kernelbytes import Box, Clock
from pipeline.rig import NS, Line

POD, CONTAINER, CONMON = "a" * 64, "b" * 64, "c" * 64


def test_what_a_nested_cgroup_does_is_the_containers_doing() -> None:
    line, clock = Line(), Clock()
    box = Box(clock)
    inner = Box(clock, 101, "/default/box/system.slice", subject=box.cgroup)
    record, init = box.start()
    line.feed(box.created(), inner.created(), record)
    line.name(box.cgroup, name="web")
    line.feed(Box(clock, 101, subject=box.cgroup).exec("/tmp/x", origin=Origin.WRITABLE, by=init)[0])
    assert [(one.what, one.subject.cgroup) for one in line.deviations] == [("/tmp/x", box.cgroup)]
    assert line.kernel.traced[inner.cgroup] == (box.cgroup, False, 0)


def test_a_new_epoch_reaches_nested_cgroups_made_before_and_after() -> None:
    line, clock = Line(), Clock()
    box = Box(clock)
    line.feed(box.created(), Box(clock, 101, "/default/box/a", subject=100).created(), box.start()[0])
    line.name(box.cgroup)
    line.wait(11)
    assert line.kernel.epochs == {100: 1, 101: 1}
    line.feed(Box(clock, 102, "/default/box/b", subject=100).created())
    assert line.kernel.traced[102] == (100, False, 1)


def test_nested_cgroups_that_come_and_go_leave_nothing() -> None:
    line, clock = Line(), Clock()
    box = Box(clock)
    line.feed(box.created(), box.start()[0])
    line.name(box.cgroup)
    for number in range(97):
        inner = Box(clock, 1000 + number, f"/default/box/{number}", subject=100)
        line.feed(inner.created(), inner.removed())
    assert line.kernel.traced.keys() == {100}
    assert line.pipeline._roster._containers[100].cgroups == {100}


def test_a_podman_pod_is_no_container_and_its_containers_are() -> None:
    """The kernel takes the pod, whose name is an id too, for the container: user space knows better."""
    line, clock = Line(), Clock()
    pod = Box(clock, 100, f"/libpod_parent/{POD}")
    box = Box(clock, 101, f"/libpod_parent/{POD}/libpod-{CONTAINER}", subject=100)
    line.feed(pod.created(), box.created())
    assert line.kernel.traced == {100: (100, True, 0), 101: (101, False, 0)}
    assert list(line.namer.asked) == [101]


def test_an_engines_monitor_is_neither_traced_nor_told() -> None:
    line, clock = Line(), Clock()
    monitor = Box(clock, 100, f"/libpod_parent/libpod-conmon-{CONMON}")
    line.feed(monitor.created(), monitor.start("/usr/bin/conmon", origin=Origin.WRITABLE)[0])
    assert line.kernel.traced == {}
    line.wait(10)
    assert line.told == []
    assert list(line.shelf) == []


def test_a_monitor_inside_a_podman_pod_is_one_too() -> None:
    line, clock = Line(), Clock()
    line.feed(Box(clock, 100, f"/libpod_parent/{POD}").created())
    line.feed(Box(clock, 101, f"/libpod_parent/{POD}/libpod-conmon-{CONMON}", subject=100).created())
    assert line.kernel.traced.keys() == {100}


def test_a_container_gone_before_we_read_of_its_birth_is_not_traced_for_ever() -> None:
    """The kernel dropped it from its table at its end; reading of its birth puts it back."""
    line, clock = Line(), Clock()
    for number in range(97):
        box = Box(clock, 500 + number, f"/default/short{number}")
        line.feed(box.created(), box.start()[0], box.removed())
        line.name(box.cgroup, image_digest="sha256:1")
    assert line.kernel.traced == {}


def test_the_dead_are_forgotten_by_every_stage() -> None:
    line, clock = Line(), Clock()
    box = Box(clock)
    record, init = box.start()
    line.feed(box.created(), record, init.run("/bin/sh")[0])
    line.name(box.cgroup)
    line.feed(box.removed())
    line.wait(TOMBSTONE_NS / NS + 1)
    roster = line.pipeline._roster
    assert (len(line.pipeline.lineage), roster._containers) == (0, {})
    assert (roster._arrivals._paths, roster._arrivals._by_path) == ({}, {})
    assert list(line.shelf) == []
    assert line.kernel.forgotten == [box.cgroup]


def test_a_path_used_again_belongs_to_the_newer_container() -> None:
    line, clock = Line(), Clock()
    old, new = Box(clock, 100), Box(clock, 200)
    line.feed(old.created(), old.removed(), new.created())
    line.wait(TOMBSTONE_NS / NS + 1)
    line.feed(Box(clock, 201, "/default/box/inner", subject=999).created())
    assert line.kernel.traced[201] == (200, False, 0)


def test_a_table_that_is_full_is_a_gap() -> None:
    line, clock = Line(), Clock()
    line.kernel.room = 1
    for cgroup in (100, 101):
        line.feed(Box(clock, cgroup, f"/default/{cgroup}").created())
    line.wait(0.5)
    assert [one.what for one in line.of(Kind.COVERAGE_GAP)] == ["cgroup: cgroups_full"]


def test_what_does_not_fit_the_registry_is_told_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "MAX_CGROUPS", 1)
    line, clock = Line(), Clock()
    line.feed(Box(clock, 100, "/default/first").created())
    for cgroup in range(101, 120):
        record, init = Box(clock, cgroup, f"/default/{cgroup}").start()
        line.feed(record, init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    line.wait(5)
    assert len(line.of(Kind.EXEC_DRIFT)) == 19
    assert line.of(Kind.COVERAGE_GAP)[0].what == "identify: cgroups_full"
    assert line.pipeline._roster._containers.keys() <= {100}


def test_a_process_moved_out_is_told() -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(box.created(), record, box.left(init, "/"))
    line.name(box.cgroup)
    assert [kind for kind, _what in line.told] == [Kind.COVERAGE_GAP]
