"""What an image ships reaches the deviations of its containers, as soon as it is known."""

from __future__ import annotations

from pathlib import Path

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.making import make
from driftline.inventories import Inventories
from driftline.nouns import ExecEvent, Kind, Loss, Origin, Subject
from pipeline.kernelbytes import Box, Clock
from pipeline.rig import Line
from pipeline.test_learning import start
from unit.inventory.roots import debian


class Known(Inventories):
    """Inventories in the test's hands."""

    def __init__(self) -> None:
        super().__init__()
        self.inventory: Inventory | None = None
        self.mismatched: list[tuple[Subject, Inventory]] = []
        self.started: list[int] = []

    def of(self, subject: Subject) -> Inventory | None:
        return self.inventory

    def of_exec(self, event: ExecEvent, subject: Subject) -> Inventory | None:
        self.started.append(event.process.pid)
        return self.inventory

    def take_mismatches(self) -> list[tuple[Subject, Inventory]]:
        taken, self.mismatched = self.mismatched, []
        return taken

    def losses(self) -> list[Loss]:
        return []


def detecting() -> tuple[Line, Known, Box]:
    known = Known()
    return Line(inventories=known), known, Box(Clock())


def test_deviations_name_the_package_once_the_image_was_read(tmp_path: Path) -> None:
    line, known, box = detecting()
    init = start(line, box)
    assert known.started == [init.pid]  # though its name came after its first exec
    line.wait(11)
    line.feed(init.run("/usr/bin/nothing")[0])
    assert line.of(Kind.EXEC_UNKNOWN)[0].notes == ()
    known.inventory = make(debian(tmp_path / "root")).inventory
    line.feed(init.run("/usr/bin/curl")[0], init.run("/usr/bin/.x")[0], init.open("/etc/curlrc", 2))
    curl, unowned, config = line.deviations[1:]
    assert (curl.kind, unowned.kind, config.kind) == (
        Kind.EXEC_UNKNOWN,
        Kind.EXEC_UNOWNED,
        Kind.FILE_WRITE_UNKNOWN,
    )
    assert "package curl 7.88.1-10" in curl.notes[0]
    assert unowned.notes == ("/usr/bin/.x, owned by no package",)
    assert config.notes[0].startswith("/etc/curlrc, package curl")


def test_a_compared_file_is_described_too(tmp_path: Path) -> None:
    line, known, box = detecting()
    init = start(line, box)
    known.inventory = make(debian(tmp_path / "root")).inventory
    line.wait(11)
    line.feed(init.run("/usr/bin/.x", origin=Origin.COPYUP)[0])
    (task,) = line.files.tasks
    task.same = True  # type: ignore[union-attr]
    line.files.done.append(task)
    line.wait(0.5)
    assert line.told == [(Kind.EXEC_UNOWNED, "/usr/bin/.x")]


def test_an_sbom_of_another_image_is_told() -> None:
    line, known, box = detecting()
    start(line, box)
    subject = line.pipeline.subjects.get(box.cgroup)
    assert subject is not None
    known.mismatched.append((subject, Inventory(image="sha256:1", mismatches=("it names another",))))
    line.wait(1)
    (told,) = line.of(Kind.IMAGE_SBOM_MISMATCH)
    assert told.subject == subject
    assert "it names another" in told.sentence
