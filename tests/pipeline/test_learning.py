"""From learning to detecting: windows, epochs, taint, losses, probes, restarts."""

from __future__ import annotations

from pathlib import Path

from driftline.baseline.keeping.store import BaselineStore
from driftline.nouns import Kind, Loss, Origin
from pipeline.kernelbytes import Box, Clock, Program
from pipeline.rig import Line

IMAGE = "sha256:1"


def start(line: Line, box: Box, **known: str | bool) -> Program:
    """A container of the image comes up."""
    record, init = box.start()
    line.feed(box.created(), record)
    line.name(box.cgroup, **{"image_digest": IMAGE, "name": "web"} | known)
    return init


def test_what_was_learned_is_silent_and_the_rest_is_told() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.feed(init.open("/srv/page"), init.connect((10, 0, 0, 1)), init.run("/bin/sh")[0])
    line.wait(9)
    assert line.learned == []
    line.wait(2)
    assert [shelved.key for shelved in line.learned] == [IMAGE]
    line.feed(init.open("/srv/page"), init.connect((10, 0, 0, 1)), init.run("/bin/sh")[0])
    assert line.told == []
    line.feed(init.open("/srv/other"), init.connect((10, 0, 0, 2)), init.run("/bin/new")[0])
    assert line.told == [
        (Kind.FILE_READ_UNKNOWN, "/srv/other"),
        (Kind.CONNECT_UNKNOWN, "10.0.0.2:443/tcp"),
        (Kind.EXEC_UNKNOWN, "/bin/new"),
    ]
    assert {one.baseline for one in line.deviations} == {line.learned[0].version}


def test_learning_goes_on_while_there_is_something_new() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    for number in range(11):
        line.wait(1.5)
        line.feed(init.open(f"/srv/{number}"))
    assert line.learned == []
    line.wait(2.5)
    assert len(line.learned) == 1


def test_the_end_of_learning_empties_the_cache_of_every_container_of_the_image() -> None:
    line, clock = Line(), Clock()
    for cgroup in (100, 200):
        start(line, Box(clock, cgroup, f"/default/{cgroup}"))
    start(line, Box(clock, 300, "/default/300"), image_digest="sha256:other")
    line.wait(5)
    line.feed(Box(clock, 300).start("/bin/new")[0])
    line.wait(6)
    assert line.kernel.epochs.keys() >= {100, 200}
    line.wait(20)
    assert line.kernel.epochs == {100: 1, 200: 1, 300: 1}


def test_own_addresses_are_told_from_others() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.feed(init.connect((10, 0, 0, 9)))
    (shelved,) = line.shelf
    assert shelved.matcher.connects == {("tcp", "self", 443)}


def test_a_dropped_program_teaches_nothing_nor_does_the_kernel_remember_it() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    record, dropped = init.run("/tmp/x", origin=Origin.WRITABLE)
    known = len(line.kernel.known)
    line.feed(record, dropped.open("/srv/loot"), dropped.connect((6, 6, 6, 6)))
    record, child = dropped.run("/bin/sh")
    line.feed(record, child.open("/srv/more"))
    assert len(line.kernel.known) == known
    line.wait(11)
    line.feed(init.open("/srv/loot"), init.connect((6, 6, 6, 6)), init.open("/srv/more"))
    assert [what for _kind, what in line.told] == ["/tmp/x", "/srv/loot", "6.6.6.6:443/tcp", "/srv/more"]


def test_a_probe_is_learned_at_its_third_time_and_a_terminal_never() -> None:
    line, box = Line(), Box(Clock())
    start(line, box)
    for _ in range(3):
        line.feed(box.enter("/bin/probe")[0], box.enter("/bin/bash", tty="pts0")[0])
    line.wait(11)
    told = len(line.told)
    line.feed(box.enter("/bin/probe")[0])
    assert len(line.told) == told
    line.feed(box.enter("/bin/bash")[0])
    assert line.told[told:] == [(Kind.EXEC_INTO_CONTAINER, "/bin/bash")]


def test_losses_make_what_is_learned_partial() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.pipeline.account([Loss("open", "ring_full", 23)])
    line.wait(11)
    assert line.learned[0].reasons == ("losses 23",)
    line.feed(init.open("/srv/x"))
    assert line.of(Kind.FILE_READ_UNKNOWN)[0].notes == ("baseline partial: losses 23",)


def test_what_one_container_was_held_back_spoils_only_its_own_image() -> None:
    line, clock = Line(), Clock()
    start(line, Box(clock, 100, "/default/a"))
    start(line, Box(clock, 200, "/default/b"), image_digest="sha256:2")
    line.kernel.held[100] = 97
    line.wait(11)
    assert {shelved.key: shelved.reasons for shelved in line.learned} == {IMAGE: ("losses 97",), "sha256:2": ()}
    (gap,) = line.of(Kind.COVERAGE_GAP)
    assert (gap.what, gap.count, gap.subject.cgroup) == ("kernel: bucket_empty", 97, 100)


def test_attached_late_is_partial() -> None:
    line, box = Line(), Box(Clock())
    line.pipeline.appear(box.cgroup, box.cgroup, box.path, 0, attached_late=True)
    line.name(box.cgroup, image_digest=IMAGE)
    line.wait(11)
    assert line.learned[0].reasons == ("attached late",)


def test_learning_goes_on_after_a_restart(tmp_path: Path) -> None:
    store = BaselineStore(str(tmp_path))
    before, clock = Line(store), Clock()
    init = start(before, Box(clock))
    before.feed(init.open("/srv/before"))
    before.wait(6)
    before.pipeline.finish()

    after = Line(store)
    init = start(after, Box(clock, 200, "/default/again"))
    after.feed(init.open("/srv/after"))
    after.wait(3)
    assert after.learned == []
    after.wait(2)
    assert len(after.learned) == 1
    after.feed(init.open("/srv/before"), init.open("/srv/after"))
    assert after.told == []


def test_a_kill_costs_only_what_was_not_written_yet(tmp_path: Path) -> None:
    """No finish: as after SIGKILL."""
    store = BaselineStore(str(tmp_path))
    line, clock = Line(store), Clock()
    init = start(line, Box(clock))
    line.feed(init.open("/srv/before"))
    line.wait(16)
    after = Line(store)
    init = start(after, Box(clock, 200, "/default/again"))
    after.feed(init.open("/srv/before"))
    assert after.told == []
    after.feed(init.open("/srv/other"))
    assert after.told == [(Kind.FILE_READ_UNKNOWN, "/srv/other")]


def test_the_wall_clock_may_jump() -> None:
    """Windows are measured in kernel time; only what is shown follows the wall clock."""
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.wait(5)
    line.clock._offset -= 3_600_000_000_000
    line.wait(5.9)
    assert line.learned != []
    line.feed(init.open("/srv/x"), init.open("/srv/y"))
    ids = [one.id for one in line.deviations]
    assert ids == sorted(ids)
