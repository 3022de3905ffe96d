"""Files of the image that ran are compared with what their package recorded, once, and told if they differ."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.making import make
from driftline.nouns import Event, ExecEvent, Kind, LoadEvent, Origin, RecordFlag, Severity, Subject
from driftline.verdict import contents as module
from driftline.verdict.contents import Contents
from driftline.verdict.judge_contents import ALLOWED, judge_contents
from driftline.verdict.outcome import Verdict
from driftline.verdict.worker import ContentsTask
from unit.baseline.making import SUBJECT, executed, file, loaded, opened, seen
from unit.inventory.roots import CURL, debian, md5

OTHER = replace(SUBJECT, cgroup=6, image_digest="sha256:22")


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return make(debian(tmp_path / "root")).inventory


def waits(_subject: Subject) -> bool:
    return True


def paths(tasks: list[ContentsTask]) -> list[str]:
    return [task.event.file.path for task in tasks]


def verdict_of(event: Event, inventory: Inventory, content: str = "other", **facts: bool) -> Verdict:
    values = {"learning": True, "allowed": False} | facts
    excused = frozenset({"NL-01"}) if values.pop("excused", False) else frozenset()
    return judge_contents(event, SUBJECT, inventory, "md5", md5(content), excused=excused, **values)


def test_a_changed_program_or_library_is_told_and_put_up_for_review(inventory: Inventory) -> None:
    for event in (executed("/usr/bin/curl"), loaded("/usr/bin/curl")):
        verdict = verdict_of(event, inventory)
        assert (verdict.kind, verdict.severity, verdict.checks) == (Kind.EXEC_MODIFIED, Severity.HIGH, ("NL-01",))
        assert (verdict.review, verdict.technique) == (True, "T1525")
        assert "differ from those dpkg recorded for package curl 7.88.1-10" in verdict.sentence
        assert not verdict_of(event, inventory, learning=False).review


def test_what_is_as_recorded_or_meant_to_change_or_unowned_is_no_deviation(inventory: Inventory) -> None:
    assert verdict_of(executed("/usr/bin/curl"), inventory, CURL).kind is None
    assert verdict_of(executed("/etc/curlrc"), inventory).kind is None
    assert verdict_of(executed("/usr/local/bin/x"), inventory).kind is None
    assert verdict_of(executed("/usr/bin/curl"), inventory, excused=True).kind is None
    unread = judge_contents(executed("/usr/bin/curl"), SUBJECT, inventory, "md5", "", True, frozenset(), False)
    assert unread.kind is None


def test_a_promoted_baseline_that_holds_it_makes_it_quiet(inventory: Inventory) -> None:
    verdict = verdict_of(executed("/usr/bin/curl"), inventory, learning=False, allowed=True)
    assert (verdict.kind, verdict.severity) == (Kind.EXEC_MODIFIED, Severity.LOW)
    assert ALLOWED in verdict.notes


def test_files_wait_for_the_inventory_and_come_once(inventory: Inventory) -> None:
    contents = Contents()
    for event in (executed("/usr/bin/curl"), loaded("/usr/bin/curl"), executed("/usr/local/bin/x")):
        contents.see(event, SUBJECT, 1)
    assert contents.ready(lambda _subject: None, waits) == []
    assert contents.is_open(SUBJECT.image_digest)
    (task,) = contents.ready(lambda _subject: inventory, waits)
    assert (task.event.file.path, task.algorithm) == ("/usr/bin/curl", "md5")
    task.digest = md5(CURL)
    contents.done(task)
    assert not contents.is_open(SUBJECT.image_digest)
    contents.see(executed("/usr/bin/curl"), SUBJECT, 1)
    assert contents.ready(lambda _subject: inventory, waits) == []


def test_what_could_not_be_read_is_left_to_the_next_container(inventory: Inventory) -> None:
    contents = Contents()
    for _ in range(2):
        contents.see(executed("/usr/bin/curl"), SUBJECT, 1)
        (task,) = contents.ready(lambda _subject: inventory, waits)
        contents.done(task)
    contents.see(executed("/usr/bin/curl"), SUBJECT, 1)
    contents.give_up(SUBJECT.cgroup)
    assert not contents.is_open(SUBJECT.image_digest)
    contents.see(executed("/usr/bin/curl"), SUBJECT, 1)
    assert contents.is_open(SUBJECT.image_digest)


def test_an_image_that_gets_no_inventory_holds_nothing_up() -> None:
    contents = Contents()
    contents.see(executed("/usr/bin/curl"), SUBJECT, 1)
    assert contents.ready(lambda _subject: None, lambda _subject: False) == []
    assert not contents.is_open(SUBJECT.image_digest)


@pytest.mark.parametrize("origin", [Origin.WRITABLE, Origin.VOLUME, Origin.TMPFS, Origin.COPYUP])
def test_what_is_not_the_images_is_not_compared(origin: Origin) -> None:
    contents = Contents()
    contents.see(executed("/usr/bin/curl", origin=origin), SUBJECT, 1)
    contents.see(executed("/usr/bin/wget", flags=int(RecordFlag.FOREIGN_MOUNT_NS)), SUBJECT, 1)
    assert not contents.is_open(SUBJECT.image_digest)


def test_another_image_is_another_matter(inventory: Inventory) -> None:
    contents = Contents()
    contents.see(executed("/usr/bin/curl"), SUBJECT, 1)
    contents.see(executed("/usr/bin/curl"), OTHER, 1)
    tasks = contents.ready(lambda subject: inventory if subject is OTHER else None, waits)
    assert [task.subject for task in tasks] == [OTHER]


def test_all_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch, inventory: Inventory) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    monkeypatch.setattr(module, "AT_ONCE", 1)
    contents = Contents()
    for path in ("/usr/bin/curl", "/bin/curl", "/usr/bin/c"):
        contents.see(executed(path), SUBJECT, 1)
    assert contents.skipped == 1
    assert paths(contents.ready(lambda _subject: inventory, waits)) == ["/usr/bin/curl"]


def test_images_are_forgotten_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_IMAGES", 1)
    contents = Contents()
    for subject in (SUBJECT, OTHER, SUBJECT):
        contents.see(executed("/usr/bin/curl"), subject, 1)
    assert contents.skipped == 0
    assert contents.is_open(OTHER.image_digest)


def of_here(event: ExecEvent | LoadEvent, path: Path) -> ContentsTask:
    return ContentsTask(replace(event, process=replace(event.process, pid=os.getpid()), file=seen(path)), SUBJECT, 0)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_the_worker_reads_exactly_the_file_the_kernel_saw(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "lib.so"
    path.write_text(CURL)
    task = of_here(loaded(str(path)), path)
    task.algorithm = algorithm
    task.run(1 << 20, ())
    assert task.digest == hashlib.new(algorithm, CURL.encode()).hexdigest()
    path.unlink()
    path.write_text("another")
    task.digest = ""
    task.run(1 << 20, ())
    assert task.digest == ""


def test_a_script_is_told_without_a_behaviour_of_its_own(inventory: Inventory) -> None:
    event = opened("/usr/bin/curl")
    event.file = file("/usr/bin/curl")
    verdict = verdict_of(event, inventory)
    assert (verdict.kind, verdict.review) == (Kind.EXEC_MODIFIED, False)
