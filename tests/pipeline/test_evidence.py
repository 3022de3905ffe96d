"""What a deviation carries, and that none gets lost on the way: folding, digests, comparisons, ancestors, the end."""

from __future__ import annotations

from dataclasses import replace

from driftline.nouns import Kind, Origin, Severity
from driftline.verdict.worker import CompareTask, HashTask
from pipeline.kernelbytes import Box, Clock
from pipeline.rig import Line
from pipeline.test_learning import start


def test_the_digest_comes_as_an_amendment_and_stays_in_later_updates() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    record, _ = init.run("/tmp/x", origin=Origin.WRITABLE)
    line.feed(record)
    (task,) = line.files.tasks
    assert isinstance(task, HashTask)
    line.files.done.append(replace(task, sha256="ab" * 32))
    line.wait(0.5)
    for _ in range(6):
        line.feed(init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    (before,) = line.deviations
    assert (before.count, before.sha256) == (1, "ab" * 32)
    line.wait(61)
    (after,) = line.deviations
    assert (after.count, after.sha256, after.id) == (7, "ab" * 32, before.id)
    assert len(line.files.tasks) == 1


def test_what_was_folded_is_told_at_the_end() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    for _ in range(7):
        line.feed(init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    line.pipeline.finish()
    assert [one.count for one in line.deviations] == [7]


def test_an_image_file_that_was_only_chmodded_is_silent_once_compared() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.feed(init.run("/bin/tool", origin=Origin.COPYUP)[0])
    (task,) = line.files.tasks
    assert isinstance(task, CompareTask)
    line.files.done.append(replace(task, same=True))
    line.wait(11)
    assert line.told == []
    line.feed(init.run("/bin/tool")[0])
    assert line.told == []


def test_one_with_other_contents_is_drift() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.feed(init.run("/bin/tool", origin=Origin.COPYUP)[0])
    (task,) = line.files.tasks
    assert isinstance(task, CompareTask)
    line.files.done.append(replace(task, same=False))
    line.pipeline.collect()
    assert line.told == [(Kind.EXEC_DRIFT, "/bin/tool")]


def test_one_that_cannot_be_compared_is_told_with_less_severity() -> None:
    line, box = Line(), Box(Clock())
    line.files.room = 0
    init = start(line, box)
    line.feed(init.run("/bin/tool", origin=Origin.COPYUP)[0])
    assert [(one.kind, one.severity) for one in line.deviations] == [(Kind.EXEC_DRIFT, Severity.MEDIUM)]


def test_ancestors_are_told_though_they_have_exited() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    record, shell = init.run("/bin/sh", "sh", "-c", "evil")
    line.feed(record)
    record, tool = shell.run("/tmp/x", "x", "--now", origin=Origin.WRITABLE)
    line.feed(record, tool.open("/etc/shadow"))
    drift, read = line.deviations
    assert [image.path for image in drift.ancestors] == ["/bin/sh", "/usr/sbin/web"]
    assert [image.path for image in read.ancestors] == ["/bin/sh", "/usr/sbin/web"]
    assert (read.exe, read.argv) == ("/tmp/x", ("x", "--now"))


def test_after_the_sensor_is_closed_nothing_is_written_to_it() -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    line.feed(box.created(), record, init.open("/srv/page"))
    line.pipeline.detach()
    line.name(box.cgroup)
    assert line.kernel.known == []
    assert list(line.shelf) != []


def test_a_digest_that_comes_with_the_end_is_told() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.feed(init.run("/tmp/x", origin=Origin.WRITABLE)[0])
    (task,) = line.files.tasks
    assert isinstance(task, HashTask)
    line.files.done.append(replace(task, note="the agent stopped first"))
    line.pipeline.collect()
    line.pipeline.finish()
    assert [one.sha256_note for one in line.deviations] == ["the agent stopped first"]
