"""Events and the names of their containers: early, late, never, twice; none lost, none doubled, order kept."""

from __future__ import annotations

import pytest

from driftline.identify.subjects import TOMBSTONE_NS
from driftline.identify.waiting import FILES_PER_CONTAINER
from driftline.nouns import Event, Kind, Origin
from driftline.verdict.judge import judge
from driftline.verdict.outcome import Verdict
from pipeline.kernelbytes import Box, Clock
from pipeline.rig import NS, Line

DRIFT, FILELESS = Kind.EXEC_DRIFT, Kind.EXEC_FILELESS


def test_what_came_before_the_name_is_judged_in_order_and_once() -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(box.created(), record)
    for number in range(23):
        line.feed(init.run(f"/tmp/{number}", origin=Origin.WRITABLE)[0])
    assert line.told == []
    line.name(box.cgroup, image_digest="sha256:1", name="web")
    line.feed(init.run("/tmp/last", origin=Origin.WRITABLE)[0])
    assert line.told == [(DRIFT, f"/tmp/{number}") for number in range(23)] + [(DRIFT, "/tmp/last")]
    assert {one.subject.name for one in line.deviations} == {"web"}


def test_a_name_that_never_comes_holds_nothing_up_for_long() -> None:
    line, box = Line(), Box(Clock(), path="/default/lonely")
    record, init = box.start()
    line.feed(box.created(), record, init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    line.wait(3.9)
    assert line.told == []
    line.wait(0.4)
    assert line.told == [(DRIFT, "/tmp/x")]
    assert line.deviations[0].subject.container_id == "lonely"


def test_two_containers_without_a_name_do_not_share_a_baseline() -> None:
    line, clock = Line(), Clock()
    for cgroup in (100, 200):  # both births were lost, and both are gone by now
        line.feed(Box(clock, cgroup).start()[0])
    assert {shelved.key for shelved in line.shelf} == {"container:cgroup:100", "container:cgroup:200"}


def test_a_container_whose_birth_was_lost_is_named_all_the_same() -> None:
    line, box = Line(), Box(Clock())
    line.paths[box.cgroup] = "/default/box"
    record, init = box.start()
    line.feed(record, init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    assert line.told == []
    line.name(box.cgroup, name="web")
    assert [one.subject.name for one in line.of(DRIFT)] == ["web"]
    assert [shelved.reasons for shelved in line.shelf] == [("attached late",)]


def test_one_whose_birth_was_lost_and_that_is_gone_is_told_and_then_forgotten() -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(record, init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    assert line.told == [(DRIFT, "/tmp/x")]
    assert line.deviations[0].subject.cgroup_path == "cgroup:100"
    line.wait(TOMBSTONE_NS / NS + 1)
    assert line.pipeline.subjects.container(box.cgroup) is None
    assert list(line.shelf) == []


def test_a_late_name_moves_what_was_learned_and_empties_the_cache() -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(box.created(), record)
    line.name(box.cgroup)
    line.feed(init.open("/srv/page"))
    line.name(box.cgroup, image_digest="sha256:1")
    assert line.kernel.epochs == {box.cgroup: 1}
    assert [shelved.key for shelved in line.shelf] == ["sha256:1"]
    line.wait(11)
    line.feed(init.open("/srv/page"))
    assert line.told == []


def test_a_late_name_of_a_learned_image_tells_what_was_let_pass() -> None:
    line, clock = Line(), Clock()
    old, box = Box(clock, 100, "/default/old"), Box(clock, 200, "/default/new")
    line.feed(old.created(), old.start()[0])
    line.name(old.cgroup, image_digest="sha256:1")
    line.wait(11)
    record, init = box.start()
    line.feed(box.created(), record)
    line.name(box.cgroup)
    line.feed(init.open("/srv/one"), init.open("/srv/two"))
    line.name(box.cgroup, image_digest="sha256:1")
    line.wait(1)
    assert [(one.what, one.count) for one in line.of(Kind.COVERAGE_GAP)] == [("identify: named_late", 2)]


def test_what_does_not_fit_the_waiting_room_is_a_gap_and_makes_the_baseline_partial() -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(box.created(), record, *(init.open(f"/srv/{number}") for number in range(FILES_PER_CONTAINER + 23)))
    line.wait(0.5)  # counted before anybody knows whose baseline it is
    line.name(box.cgroup, image_digest="sha256:1", name="web")
    (gap,) = line.of(Kind.COVERAGE_GAP)
    assert (gap.what, gap.count) == ("identify: waiting_full", 23)
    assert [shelved.reasons for shelved in line.shelf] == [("losses 23",)]


def test_at_the_end_nothing_waits() -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(box.created(), record, init.run("memfd:x", origin=Origin.MEMFD)[0])
    line.pipeline.detach()
    line.pipeline.release_all()
    line.pipeline.finish()
    assert [kind for kind, _what in line.told] == [FILELESS]


def test_a_bug_costs_one_event_and_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(box.created(), record, init.run("/tmp/before", origin=Origin.WRITABLE)[0])

    def trip(event: Event, *rest: object) -> Verdict:
        if getattr(event, "invoked", "") == "/tmp/odd":
            raise KeyError("odd")
        return judge(event, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("driftline.judging.judge", trip)
    line.feed(*(init.run(path, origin=Origin.WRITABLE)[0] for path in ("/tmp/odd", "/tmp/after")))
    line.name(box.cgroup)
    line.feed(*(init.run(path, origin=Origin.WRITABLE)[0] for path in ("/tmp/odd", "/tmp/last")))
    line.wait(1)
    assert [what for kind, what in line.told if kind is DRIFT] == ["/tmp/before", "/tmp/after", "/tmp/last"]
    assert [(one.what, one.count) for one in line.of(Kind.COVERAGE_GAP)] == [("pipeline: failed", 2)]
    assert caplog.text.count("Traceback") == 1


def test_a_kernel_that_will_not_tell_a_path_does_not_end_the_agent() -> None:
    def refuse(_cgroup: int) -> str | None:
        raise PermissionError("open_by_handle_at")

    line, box = Line(), Box(Clock())
    line.pipeline._roster._path_of = refuse
    line.feed(box.start()[0])
    assert line.pipeline.subjects.get(box.cgroup) is not None
