"""Ancestors survive their exit, come nearest first, and one container's churn costs only itself."""

import pytest

from driftline.identify import lineage
from driftline.identify.lineage import MAX_ANCESTORS, MAX_ARGUMENT_TEXT, MAX_ARGUMENTS, Lineage, Seed
from driftline.nouns import ExecEvent, ExecImage, File, Loss, Origin, Process, RecordFlag


def executed(exec_id: int, by: int = 0, cgroup: int = 10, argv: tuple[str, ...] = ("x",), flags: int = 0) -> ExecEvent:
    process = Process(100 + exec_id, 100 + exec_id, 1, exec_id * 1000, exec_id, 33, 33, 33, "x")
    file = File(f"/bin/{exec_id}", Origin.IMAGE, 1, 2, 1, 0o100755, 3)
    return ExecEvent(1, cgroup, process, flags, 0, b"", b"", file, "x", "", argv, "/", "", (), 0, 0, by, "", 0)


def ids(images: tuple[ExecImage, ...]) -> list[int]:
    return [image.exec_id for image in images]


def test_ancestors_are_told_nearest_first_without_the_image_itself() -> None:
    tree = Lineage()
    for exec_id, by in ((1, 0), (2, 1), (3, 2), (4, 1)):
        tree.record(executed(exec_id, by))
    assert ids(tree.ancestors(3)) == [2, 1]
    assert ids(tree.ancestors(4)) == [1]
    assert tree.ancestors(1) == ()
    assert tree.losses() == []


def test_an_image_says_who_it_was() -> None:
    tree = Lineage()
    tree.record(executed(5, argv=("sh", "-c", "id"), flags=int(RecordFlag.ENTERED)))
    assert tree.image(5) == ExecImage(5, 105, 5000, "/bin/5", ("sh", "-c", "id"), 33, True)


def test_an_unknown_exec_id_has_no_ancestors_and_is_not_remembered() -> None:
    tree = Lineage()
    tree.record(executed(0, 1))
    assert len(tree) == 0
    assert tree.image(0) is None
    assert tree.ancestors(0) == ()
    assert tree.ancestors(77) == ()


def test_a_chain_is_cut_at_sixteen() -> None:
    tree = Lineage()
    for exec_id in range(1, 31):
        tree.record(executed(exec_id, exec_id - 1))
    assert ids(tree.ancestors(30)) == list(range(29, 29 - MAX_ANCESTORS, -1))


def test_a_loop_ends() -> None:
    tree = Lineage()
    tree.record(executed(1, 2))
    tree.record(executed(2, 1))
    assert ids(tree.ancestors(1)) == [2, 1]


def test_arguments_are_cut() -> None:
    tree = Lineage()
    tree.record(executed(1, argv=tuple("a" for _ in range(100))))
    tree.record(executed(2, argv=("b" * 1000, "c" * 1000, "d")))
    first, second = tree.image(1), tree.image(2)
    assert first is not None
    assert second is not None
    assert len(first.argv) == MAX_ARGUMENTS
    assert second.argv == ("b" * 1000, "c" * (MAX_ARGUMENT_TEXT - 1000))


def test_a_containers_churn_costs_only_its_own_recent_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MAX_PER_CONTAINER", 6)
    monkeypatch.setattr(lineage, "START_UP_IMAGES", 2)
    tree = Lineage()
    tree.record(executed(900, cgroup=11))
    for exec_id in range(1, 21):
        tree.record(executed(exec_id, by=1))
    assert [exec_id for exec_id in range(1, 21) if tree.image(exec_id)] == [1, 2, 17, 18, 19, 20]
    assert tree.image(900)
    assert tree.evictions == 14
    assert ids(tree.ancestors(20)) == [1]


def test_an_image_that_runs_others_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MAX_PER_CONTAINER", 4)
    monkeypatch.setattr(lineage, "START_UP_IMAGES", 1)
    tree = Lineage()
    tree.record(executed(1))
    tree.record(executed(2, by=1))
    for exec_id in range(3, 12):
        tree.record(executed(exec_id, by=2))
    assert ids(tree.ancestors(11)) == [2, 1]


def test_in_all_the_largest_container_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MAX_IMAGES", 5)
    monkeypatch.setattr(lineage, "START_UP_IMAGES", 1)
    tree = Lineage()
    for exec_id in (1, 2, 3, 4):
        tree.record(executed(exec_id, cgroup=10))
    for exec_id in (5, 6):
        tree.record(executed(exec_id, cgroup=11))
    assert [exec_id for exec_id in range(1, 7) if tree.image(exec_id)] == [1, 3, 4, 5, 6]


def test_a_forgotten_ancestor_is_counted_when_it_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MAX_PER_CONTAINER", 2)
    monkeypatch.setattr(lineage, "START_UP_IMAGES", 0)
    tree = Lineage()
    for exec_id in (1, 2, 3):
        tree.record(executed(exec_id, by=exec_id - 1))
    assert tree.losses() == []
    assert ids(tree.ancestors(3)) == [2]
    assert tree.losses() == [Loss("identify", "ancestor_forgotten", 1, 10)]
    assert tree.losses() == []


def test_processes_from_before_the_agent_are_ancestors_too() -> None:
    tree = Lineage()
    init = ExecImage(501, 40, 7_000, "/init", ("init",), 0, False)
    tree.seed([Seed(init, 0, 10)])
    tree.record(executed(1, by=501))
    assert tree.ancestors(1) == (init,)


def test_a_container_is_forgotten_whole() -> None:
    tree = Lineage()
    tree.seed([Seed(ExecImage(501, 40, 7_000, "/init", (), 0, False), 0, 10)])
    for exec_id in range(1, 50):
        tree.record(executed(exec_id, cgroup=10))
    tree.record(executed(60, cgroup=11))
    tree.forget(10)
    assert len(tree) == 1
    assert tree.image(60)
    assert tree.image(501) is None
