"""Verdicts on execs."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.baseline.behaviour import behaviour_of
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.making import make
from driftline.baseline.matching import Matcher
from driftline.nouns import ExecEvent, Kind, Origin, RecordFlag, Severity
from driftline.verdict.judge import NOT_COMPARED, judge, judge_compared
from unit.baseline.making import SUBJECT, executed
from unit.inventory.roots import debian

ENTERED, SCRIPT = int(RecordFlag.ENTERED), int(RecordFlag.SCRIPT)
NOTHING = Matcher()


def knowing(*events: ExecEvent) -> Matcher:
    return Matcher(behaviour for event in events if (behaviour := behaviour_of(event)))


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize(
    ("origin", "kind", "severity"),
    [
        (Origin.WRITABLE, Kind.EXEC_DRIFT, Severity.CRITICAL),
        (Origin.TMPFS, Kind.EXEC_DRIFT, Severity.CRITICAL),
        (Origin.HOST, Kind.EXEC_DRIFT, Severity.CRITICAL),
        (Origin.VOLUME, Kind.EXEC_DRIFT, Severity.HIGH),
        (Origin.MEMFD, Kind.EXEC_FILELESS, Severity.CRITICAL),
        (Origin.DELETED, Kind.EXEC_FILELESS, Severity.CRITICAL),
    ],
)
def test_a_program_that_is_not_the_images_is_told_though_the_image_has_one_of_that_path(
    origin: Origin, kind: Kind, severity: Severity, learning: bool
) -> None:
    event = executed("/srv/x", origin=origin)
    verdict = judge(event, SUBJECT, knowing(executed("/srv/x")), learning)
    assert (verdict.kind, verdict.severity, verdict.what) == (kind, severity, "/srv/x")
    assert verdict.checks == ("NL-02" if kind is Kind.EXEC_FILELESS else "NL-01",)
    assert (verdict.learn, verdict.review, verdict.taints, verdict.cacheable) == (False, learning, True, False)


@pytest.mark.parametrize("origin", [Origin.WRITABLE, Origin.VOLUME, Origin.MEMFD])
def test_what_a_person_approved_is_expected_from_where_it_came_and_from_nowhere_else(origin: Origin) -> None:
    event = executed("/srv/x", origin=origin)
    matcher = knowing(event)
    assert judge(event, SUBJECT, matcher, False).kind is None
    for other in (Origin.TMPFS, Origin.DELETED):
        assert judge(executed("/srv/x", origin=other), SUBJECT, matcher, False).kind is not None
    assert judge(executed("/srv/x"), SUBJECT, matcher, False).kind is Kind.EXEC_UNKNOWN


def test_an_excused_check_does_not_fire_and_leaves_the_baseline_to_judge() -> None:
    event = executed("/srv/x", origin=Origin.WRITABLE)
    excused = frozenset({"NL-01"})
    learned = judge(event, SUBJECT, NOTHING, True, excused=excused)
    assert (learned.kind, learned.learn) == (None, True)
    assert judge(event, SUBJECT, NOTHING, False, excused=excused).kind is Kind.EXEC_UNKNOWN
    assert judge(event, SUBJECT, knowing(event), False, excused=excused).kind is None


def test_an_init_on_a_volume_was_chosen_by_whoever_started_the_container() -> None:
    init = int(RecordFlag.IS_INIT)
    event = executed("/sbin/docker-init", by="", origin=Origin.VOLUME, flags=init)
    assert judge(event, SUBJECT, NOTHING, True).learn
    assert judge(event, SUBJECT, NOTHING, False).kind is Kind.EXEC_UNKNOWN
    later = executed("/data/x", by="/sbin/docker-init", origin=Origin.VOLUME, flags=init)
    assert judge(later, SUBJECT, NOTHING, True).kind is Kind.EXEC_DRIFT
    written = executed("/data/x", by="", origin=Origin.WRITABLE, flags=init)
    assert judge(written, SUBJECT, NOTHING, True).kind is Kind.EXEC_DRIFT


def test_the_sentence_is_for_a_tired_person() -> None:
    verdict = judge(executed("/tmp/x", origin=Origin.WRITABLE), SUBJECT, NOTHING, False)
    assert verdict.sentence == (
        "/tmp/x ran in shop-1/web: its file was written into the container after it started "
        "(not in the image shop/web:1.2)"
    )
    assert verdict.technique == "T1105"


@pytest.mark.parametrize("origin", [Origin.IMAGE, Origin.ROOTFS, Origin.UNKNOWN, Origin.PSEUDO])
def test_learned_is_expected_and_may_be_cached(origin: Origin) -> None:
    event = executed(origin=origin)
    learned = judge(event, SUBJECT, NOTHING, True)
    assert (learned.kind, learned.learn, learned.cacheable) == (None, True, True)
    verdict = judge(event, SUBJECT, knowing(event), False)
    assert (verdict.kind, verdict.learn, verdict.cacheable) == (None, False, True)


def test_an_unknown_program_and_a_known_one_with_another_parent() -> None:
    matcher = knowing(executed("/bin/busybox", "/bin/ls", by="/bin/sh"))
    unknown = judge(executed("/bin/busybox", "/bin/vi", by="/bin/sh"), SUBJECT, matcher, False)
    assert (unknown.kind, unknown.severity, unknown.what) == (Kind.EXEC_UNKNOWN, Severity.HIGH, "/bin/busybox (vi)")
    parent = judge(executed("/bin/busybox", "/bin/ls", by="/usr/bin/php"), SUBJECT, matcher, False)
    assert (parent.kind, parent.severity) == (Kind.EXEC_PARENT, Severity.MEDIUM)
    assert "/usr/bin/php" in parent.sentence
    runtime = judge(executed("/bin/busybox", "/bin/ls", by=""), SUBJECT, matcher, False)
    assert runtime.kind is Kind.EXEC_PARENT
    assert "the container runtime" in runtime.sentence


@pytest.mark.parametrize("flag", [RecordFlag.NO_LINEAGE, RecordFlag.SNAPSHOT])
def test_an_unknown_parent_is_no_new_parent(flag: RecordFlag) -> None:
    matcher = knowing(executed(by="/bin/sh"))
    verdict = judge(executed(by="", flags=int(flag)), SUBJECT, matcher, False)
    assert verdict.kind is None
    assert not verdict.cacheable


def test_a_forgotten_parent_is_no_new_parent_and_no_entry() -> None:
    event = executed(by="/bin/sh", flags=ENTERED)
    event.by_path = ""
    assert judge(event, SUBJECT, knowing(executed(by="/bin/sh")), False).kind is None
    assert judge(event, SUBJECT, NOTHING, False).kind is Kind.EXEC_UNKNOWN


def test_what_the_kernels_key_cannot_tell_is_not_cached() -> None:
    for event in (
        executed("/bin/busybox", argv=("busybox", "ls")),
        executed("/usr/bin/dash", "./run.sh", flags=SCRIPT),
        executed(flags=int(RecordFlag.FOREIGN_MOUNT_NS)),
    ):
        assert not judge(event, SUBJECT, NOTHING, True).cacheable
        verdict = judge(event, SUBJECT, knowing(event), False)
        assert (verdict.kind, verdict.cacheable) == (None, False)


@pytest.mark.parametrize(
    ("learning", "tty", "severity", "learn"),
    [
        (False, "", Severity.MEDIUM, False),
        (False, "pts/0", Severity.HIGH, False),
        (True, "", Severity.INFO, True),
        (True, "pts/0", Severity.HIGH, False),
    ],
)
def test_an_entry_speaks(learning: bool, tty: str, severity: Severity, learn: bool) -> None:
    event = executed("/bin/sh", by="", flags=ENTERED, tty=tty)
    verdict = judge(event, SUBJECT, knowing(executed("/bin/sh", by="")), learning)
    assert (verdict.kind, verdict.severity) == (Kind.EXEC_INTO_CONTAINER, severity)
    assert verdict.learn is learn
    assert not verdict.cacheable


def test_a_learned_probe_is_silent() -> None:
    event = executed("/bin/probe", by="", flags=ENTERED)
    verdict = judge(event, SUBJECT, knowing(event), False)
    assert (verdict.kind, verdict.cacheable) == (None, True)


def test_what_runs_below_an_entry_is_judged_as_a_program() -> None:
    event = executed("/bin/ls", by="/bin/sh", flags=ENTERED)
    verdict = judge(event, SUBJECT, knowing(executed("/bin/ls", by="/bin/sh")), False)
    assert verdict.kind is Kind.EXEC_PARENT
    assert any("entered the container" in note for note in verdict.notes)
    learned = judge(event, SUBJECT, NOTHING, True)
    assert (learned.kind, learned.learn, learned.cacheable) == (None, True, False)


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("stdio", [0b001, 0b010, 0b011])
def test_a_remote_shell_is_told_though_the_shell_is_known(learning: bool, stdio: int) -> None:
    event = executed("/bin/sh", inet_stdio=stdio)
    verdict = judge(event, SUBJECT, knowing(event), learning)
    assert (verdict.kind, verdict.severity, verdict.learn) == (Kind.EXEC_UNKNOWN, Severity.CRITICAL, False)
    assert (verdict.checks, verdict.review) == (("NL-06",), False)
    assert judge(event, SUBJECT, NOTHING, learning).review is learning
    assert judge(executed("/bin/sh", inet_stdio=0b100), SUBJECT, NOTHING, True).kind is None


@pytest.mark.parametrize(("script", "cwd"), [("/tmp/run.sh", "/"), ("./run.sh", "/dev/shm")])
def test_a_script_in_a_temporary_directory_is_drift_though_its_interpreter_is_the_images(script: str, cwd: str) -> None:
    event = executed("/usr/bin/dash", script, flags=SCRIPT, cwd=cwd)
    verdict = judge(event, SUBJECT, knowing(event), True)
    assert (verdict.kind, verdict.learn, verdict.review) == (Kind.EXEC_DRIFT, False, True)
    assert judge(executed("/usr/bin/dash", "/app/run.sh", flags=SCRIPT), SUBJECT, NOTHING, True).kind is None


def test_a_preloaded_library_raises_the_severity_a_mere_search_path_is_noted() -> None:
    plain = judge(executed("/bin/id"), SUBJECT, NOTHING, False)
    preloaded = judge(executed("/bin/id", environment=("LD_PRELOAD",)), SUBJECT, NOTHING, False)
    searched = judge(executed("/bin/id", environment=("PYTHONPATH",)), SUBJECT, NOTHING, False)
    assert (plain.severity, preloaded.severity, searched.severity) == (
        Severity.HIGH,
        Severity.CRITICAL,
        Severity.HIGH,
    )
    assert "LD_PRELOAD was set" in preloaded.notes
    assert searched.notes == ("PYTHONPATH was set",)


def test_another_mount_namespace_raises_the_severity_and_is_noted() -> None:
    verdict = judge(executed("/bin/id", flags=int(RecordFlag.FOREIGN_MOUNT_NS)), SUBJECT, NOTHING, False)
    assert verdict.severity is Severity.CRITICAL
    assert "mount namespace" in verdict.notes[0]


def test_a_copied_up_file_waits_for_its_comparison() -> None:
    event = executed(origin=Origin.COPYUP)
    matcher = knowing(event)
    undecided = judge(event, SUBJECT, matcher, False)
    assert undecided.compare
    assert undecided.kind is None
    assert not undecided.cacheable
    assert judge_compared(event, SUBJECT, matcher, False, True).kind is None
    assert judge_compared(event, SUBJECT, matcher, False, False).severity is Severity.CRITICAL
    unknown = judge_compared(event, SUBJECT, matcher, False, None)
    assert (unknown.kind, unknown.severity) == (Kind.EXEC_DRIFT, Severity.MEDIUM)
    assert NOT_COMPARED in unknown.notes
    assert judge_compared(event, SUBJECT, NOTHING, True, True).learn


def debian_inventory(tmp_path: Path) -> Inventory:
    return make(debian(tmp_path / "root")).inventory


def test_an_unknown_program_no_package_owns_is_told_as_such(tmp_path: Path) -> None:
    inventory = debian_inventory(tmp_path)
    verdict = judge(executed("/usr/local/bin/x"), SUBJECT, NOTHING, False, inventory=inventory)
    assert (verdict.kind, verdict.severity, verdict.what) == (Kind.EXEC_UNOWNED, Severity.HIGH, "/usr/local/bin/x")
    assert verdict.sentence.endswith("no package of the image owns it, and it never ran while the image was learned")
    assert judge(executed("/usr/local/bin/x"), SUBJECT, NOTHING, False).kind is Kind.EXEC_UNKNOWN
    assert judge(executed("/usr/bin/curl"), SUBJECT, NOTHING, False, inventory=inventory).kind is Kind.EXEC_UNKNOWN


def test_of_a_script_the_script_must_be_owned(tmp_path: Path) -> None:
    inventory = debian_inventory(tmp_path)
    for name, kind in (("/bin/curl", Kind.EXEC_UNKNOWN), ("/app/run", Kind.EXEC_UNOWNED)):
        event = executed("/usr/local/bin/interpreter", name, flags=SCRIPT)
        assert judge(event, SUBJECT, NOTHING, False, inventory=inventory).kind is kind


def test_unowned_is_learned_like_any_program_of_the_image(tmp_path: Path) -> None:
    inventory, event = debian_inventory(tmp_path), executed("/usr/local/bin/x")
    assert judge(event, SUBJECT, NOTHING, True, inventory=inventory).learn
    assert judge(event, SUBJECT, knowing(event), False, inventory=inventory).kind is None
    parent = judge(executed("/usr/local/bin/x", by="/usr/bin/php"), SUBJECT, knowing(event), False, inventory=inventory)
    assert parent.kind is Kind.EXEC_PARENT


@pytest.mark.parametrize(
    ("origin", "flag"),
    [
        (Origin.ROOTFS, 0),
        (Origin.UNKNOWN, 0),
        (Origin.IMAGE, RecordFlag.FOREIGN_MOUNT_NS),
        (Origin.IMAGE, RecordFlag.PATH_TRUNCATED),
        (Origin.IMAGE, RecordFlag.NAME_ONLY),
    ],
)
def test_what_may_be_no_file_of_the_image_is_not_called_unowned(tmp_path: Path, origin: Origin, flag: int) -> None:
    event = executed("/usr/local/bin/x", origin=origin, flags=int(flag))
    verdict = judge(event, SUBJECT, NOTHING, False, inventory=debian_inventory(tmp_path))
    assert verdict.kind is Kind.EXEC_UNKNOWN


def test_an_inventory_without_files_says_nothing() -> None:
    assert judge(executed("/x"), SUBJECT, NOTHING, False, inventory=Inventory()).kind is Kind.EXEC_UNKNOWN


def test_a_copied_up_file_that_is_the_images_is_asked_too(tmp_path: Path) -> None:
    event = executed("/usr/local/bin/x", origin=Origin.COPYUP)
    verdict = judge_compared(event, SUBJECT, NOTHING, False, True, debian_inventory(tmp_path))
    assert verdict.kind is Kind.EXEC_UNOWNED
