"""Checks from record to baseline: what fails one waits for review, what such a program does waits with it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.keeper import Keeper
from driftline.baseline.inventory.making import make
from driftline.baseline.schema import Entry, Excuse, Standing
from driftline.inventories import Inventories
from driftline.nouns import Behaviour, ConnectBehaviour, Kind, Loss, OpenBehaviour, Origin, Severity
from driftline.verdict.standing import PENDING
from driftline.verdict.worker import ContentsTask
from pipeline.kernelbytes import Box, Clock, Program
from pipeline.rig import Line
from unit.inventory.roots import debian, md5

IMAGE = "sha256:1"
NEEDS_REVIEW = Standing.NEEDS_REVIEW


def start(line: Line, box: Box, **known: str | bool) -> Program:
    """A container of the image comes up."""
    record, init = box.start()
    line.feed(box.created(), record)
    line.name(box.cgroup, **{"image_digest": IMAGE, "name": "web"} | known)
    return init


def entries(line: Line) -> dict[Behaviour, Entry]:
    (shelved,) = line.shelf
    assert shelved.learning is not None
    return shelved.learning.baseline.entries


def standing(line: Line, path: str) -> tuple[Standing, tuple[str, ...]]:
    entry = entries(line)[OpenBehaviour(path, "read")]
    return entry.standing, entry.checks


def test_what_a_dropped_program_does_waits_for_review_until_the_service_does_it_too() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    record, dropped = init.run("/srv/x", origin=Origin.WRITABLE)
    line.feed(record, dropped.open("/srv/loot"), dropped.open("/srv/shared"), init.open("/srv/page"))
    record, child = dropped.run("/bin/cat")
    line.feed(record, child.open("/srv/more"), dropped.open("/srv/page"), init.open("/srv/shared"))
    tainted = (NEEDS_REVIEW, ("NL-00",))
    assert [standing(line, path) for path in ("/srv/loot", "/srv/more")] == [tainted, tainted]
    clean = (Standing.ALLOWED, ())
    assert [standing(line, path) for path in ("/srv/page", "/srv/shared")] == [clean, clean]
    assert line.told == [(Kind.EXEC_DRIFT, "/srv/x")]


def test_what_waits_for_review_is_told_after_learning_and_says_so() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    line.feed(init.open("/root/.aws/credentials"), init.open("/etc/shadow"))
    assert [(one.severity, one.checks, one.learning) for one in line.deviations] == [
        (Severity.LOW, ("NL-13",), True),
        (Severity.HIGH, ("NL-13",), True),
    ]
    line.wait(11)
    line.feed(init.open("/root/.aws/credentials"), init.open("/etc/shadow"), init.open("/root/.netrc"))
    later = line.deviations[2:]
    assert [(one.severity, PENDING in one.notes) for one in later] == [
        (Severity.LOW, True),
        (Severity.HIGH, True),
        (Severity.HIGH, False),
    ]


def test_a_script_on_a_volume_is_told_each_time_it_is_run_and_the_kernel_remembers_neither() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    known = len(line.kernel.known)
    for _ in range(2):
        record, shell = init.run("/usr/bin/dash", "dash", "/data/job")
        line.feed(record, shell.open("/data/job", origin=Origin.VOLUME))
    assert len(line.kernel.known) == known
    (told,) = line.of(Kind.EXEC_DRIFT)
    assert (told.what, told.argv, told.checks) == ("/data/job (/usr/bin/dash)", ("dash", "/data/job"), ("NL-01",))
    assert told.exe == "/usr/bin/dash"
    line.feed(shell.open("/data/in", origin=Origin.VOLUME))
    assert standing(line, "/data/in") == (NEEDS_REVIEW, ("NL-00",))


def test_its_digest_is_asked_for() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    record, shell = init.run("/usr/bin/dash", "dash", "/data/job")
    line.feed(record, shell.open("/data/job", origin=Origin.VOLUME))
    assert [task.deviation.what for task in line.files.tasks if hasattr(task, "deviation")] == [
        "/data/job (/usr/bin/dash)"
    ]


def test_a_clean_entrypoint_is_learned_as_ever() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    record, shell = init.run("/usr/bin/dash", "dash", "/app/run.sh")
    line.feed(record, shell.open("/app/run.sh"), shell.run("/usr/bin/id")[0])
    line.wait(11)
    record, shell = init.run("/usr/bin/dash", "dash", "/app/run.sh")
    line.feed(record, shell.open("/app/run.sh"), shell.run("/usr/bin/id")[0])
    assert line.told == []


def test_an_excused_check_is_silent_and_what_it_would_have_told_is_learned() -> None:
    line, box = Line(), Box(Clock())
    init = start(line, box)
    (shelved,) = line.shelf
    assert shelved.learning is not None
    shelved.learning.baseline.excuses = (Excuse("NL-08", "it updates itself", "ann", 0),)
    shelved.reflect(shelved.learning.baseline)
    shelved.excuse(1)
    line.feed(init.run("/usr/bin/apt-get", "apt-get", "update")[0])
    line.wait(11)
    line.feed(init.run("/usr/bin/apt-get", "apt-get", "update")[0])
    assert line.told == []


class Kept:
    """A keeper of inventories in the test's hands."""

    def __init__(self) -> None:
        self.inventory: Inventory | None = None

    def get(self, image: str) -> Inventory | None:
        return self.inventory

    def is_coming(self, image: str) -> bool:
        return self.inventory is None

    def knows(self, image: str) -> bool:
        return True

    def take_ready(self) -> list[Inventory]:
        return []

    def losses(self) -> list[Loss]:
        return []


def test_a_program_the_image_changed_is_told_once_the_image_was_read_and_learning_waits_for_it(tmp_path: Path) -> None:
    keeper = Kept()
    line, box = Line(inventories=Inventories(cast("Keeper", keeper))), Box(Clock())
    init = start(line, box)
    line.feed(init.run("/usr/bin/curl")[0], init.load("/usr/bin/curl"), init.run("/usr/bin/unowned")[0])
    line.wait(11)
    assert line.learned == []
    keeper.inventory = make(debian(tmp_path / "root")).inventory
    line.wait(1)
    (task,) = line.files.tasks
    assert isinstance(task, ContentsTask)
    assert (task.event.file.path, task.algorithm, line.learned) == ("/usr/bin/curl", "md5", [])
    task.digest = md5("Trojaned")
    line.files.done.append(task)
    line.wait(3)
    assert len(line.learned) == 1
    (told,) = line.of(Kind.EXEC_MODIFIED)
    assert (told.what, told.checks, told.learning) == ("/usr/bin/curl", ("NL-01",), True)
    line.feed(init.run("/usr/bin/curl")[0], init.run("/usr/bin/unowned")[0])
    (later,) = line.of(Kind.EXEC_UNKNOWN)
    assert (later.what, PENDING in later.notes) == ("/usr/bin/curl", True)


def test_a_dropped_program_teaches_a_new_workload_nothing_though_its_image_is_learned_already() -> None:
    line, clock = Line(), Clock()
    start(line, Box(clock), namespace="shop", workload="old")
    line.wait(11)
    init = start(line, Box(clock, 200, "/default/new"), namespace="shop", workload="new")
    record, dropped = init.run("/srv/x", origin=Origin.WRITABLE)
    line.feed(record, dropped.connect((6, 6, 6, 6)), init.connect((10, 0, 0, 1)))
    (overlay,) = [one for one in line.shelf if one.workload == "shop/new"]
    assert overlay.learning is not None
    assert {
        behaviour.address: entry.checks
        for behaviour, entry in overlay.learning.baseline.entries.items()
        if isinstance(behaviour, ConnectBehaviour)
    } == {"6.6.6.6": ("NL-00",), "10.0.0.1": ()}
