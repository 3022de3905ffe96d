"""A replay lives in the capture's own time and takes its word for names and losses."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from driftline.baseline.shelf import Shelf
from driftline.errors import RecordError
from driftline.nouns import Kind, Loss, Origin, Subject
from driftline.offline import SLICE, run
from driftline.probe.capture import CaptureWriter
from driftline.settings import Settings
from driftline.source import clock_record, loss_record, subject_record
from pipeline.kernelbytes import Box, Clock

SETTINGS = Settings(node="n", watched_roots=("default",))
NS = 1_000_000_000
NAMED = Subject(100, "/default/box", container_id="box", name="web", image="web:1", image_digest="sha256:1")


def capture(path: Path, *records: bytes) -> Path:
    with contextlib.closing(CaptureWriter(path)) as writer:
        writer.write([clock_record(0, 1_700_000_000 * NS), *records])
    return path


def test_the_window_of_learning_passes_in_the_captures_time(tmp_path: Path) -> None:
    clock = Clock()
    box = Box(clock)
    record, init = box.start()
    records = [box.created(), record, init.open("/srv/known"), subject_record(NAMED, 1)]
    clock.tick(11 * NS)
    records += [init.open("/srv/known"), init.open("/srv/known")]
    clock.tick(NS)
    records.append(init.open("/srv/new"))
    shelf = Shelf(None, 10, 5)
    told = run(capture(tmp_path / "x.cap", *records), SETTINGS, shelf)
    assert [(one.kind, one.what, one.learning) for one in told] == [(Kind.FILE_READ_UNKNOWN, "/srv/new", False)]
    assert told[0].first_wall_ns == 1_700_000_000 * NS + clock.now
    assert told[0].subject.name == "web"


def test_what_the_capture_lacks_makes_its_baseline_partial_and_is_told(tmp_path: Path) -> None:
    box = Box(Clock())
    records = [box.created(), box.start()[0], subject_record(NAMED, 1), loss_record(Loss("open", "ring_full", 23), 2)]
    shelf = Shelf(None, 10**9, 10**9)
    told = run(capture(tmp_path / "x.cap", *records), SETTINGS, shelf)
    assert [(one.kind, one.what, one.count) for one in told] == [(Kind.COVERAGE_GAP, "open: ring_full", 23)]
    assert [one.reasons for one in shelf.finish_all()] == [("losses 23",)]


def test_a_container_that_ran_before_the_capture_is_known_by_its_note(tmp_path: Path) -> None:
    box = Box(Clock())
    note = subject_record(Subject(100, "/default/box", container_id="box", attached_late=True), 1)
    _record, init = box.start()
    shelf = Shelf(None, 10**9, 10**9, keep_ended=True)
    told = run(capture(tmp_path / "x.cap", init.run("/tmp/x", origin=Origin.WRITABLE)[0], note), SETTINGS, shelf)
    assert [one.subject.container_id for one in told] == ["box"]
    assert [one.reasons for one in shelf.finish_all()] == [("attached late",)]


def test_one_nobody_noted_is_told_by_its_path(tmp_path: Path) -> None:
    box = Box(Clock())
    record, init = box.start()
    shelf = Shelf(None, 10**9, 10**9)
    records = (box.created(), record, init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    told = run(capture(tmp_path / "x.cap", *records), SETTINGS, shelf)
    assert [one.subject.cgroup_path for one in told] == ["/default/box"]


def test_a_long_capture_loses_nothing_between_slices(tmp_path: Path) -> None:
    box = Box(Clock())
    record, init = box.start()
    shelf = Shelf(None, 10**9, 10**9)
    opens = [init.open(f"/srv/{number}") for number in range(3 * SLICE + 7)]
    run(capture(tmp_path / "x.cap", box.created(), record, subject_record(NAMED, 1), *opens), SETTINGS, shelf)
    (baseline,) = shelf.finish_all()
    assert sum(entry.count for entry in baseline.entries.values()) == 1 + 3 * SLICE + 7


def test_a_record_of_another_kind_ends_it(tmp_path: Path) -> None:
    box = Box(Clock())
    with pytest.raises(RecordError, match="none of this version's"):
        run(capture(tmp_path / "x.cap", box.created(), box.header(33, None, 0)), SETTINGS, Shelf(None, 1, 1))
