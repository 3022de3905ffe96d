"""A script counts as code: which open is the script's, and what is made of it."""

from __future__ import annotations

import pytest

from driftline.baseline.matching import Matcher
from driftline.nouns import Event, ExecEvent, Kind, OpenEvent, Origin, RecordFlag, Severity
from driftline.verdict import scripts as module
from driftline.verdict.judge import judge
from driftline.verdict.outcome import Verdict
from driftline.verdict.scripts import Scripts
from unit.baseline.making import SUBJECT, executed, opened

NOTHING = Matcher()
SCRIPT, INIT = int(RecordFlag.SCRIPT), int(RecordFlag.IS_INIT)
FOREIGN = [Origin.WRITABLE, Origin.VOLUME, Origin.TMPFS, Origin.HOST]


def shell(*words: str, flags: int = 0, by: str = "/entrypoint.sh", exec_id: int = 9) -> ExecEvent:
    return executed("/usr/bin/dash", "/bin/sh", ("sh", *words), by=by, flags=flags, exec_id=exec_id)


def reads(path: str, origin: Origin, exec_id: int = 9, access: int = 1) -> OpenEvent:
    event = opened(path, access, origin)
    event.process.exec_id = exec_id
    return event


def verdicts(*events: Event, matcher: Matcher = NOTHING, learning: bool = False) -> list[Verdict]:
    scripts, told = Scripts(), []
    for event in events:
        run = scripts.run_of(event) if isinstance(event, OpenEvent) else None
        told.append(judge(event, SUBJECT, matcher, learning, run=run))
        if isinstance(event, ExecEvent):
            scripts.start(event, told[-1])
    return told


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_script_that_is_not_the_images_is_told_like_a_binary(origin: Origin, learning: bool) -> None:
    verdict = verdicts(shell("/srv/x", "a"), reads("/srv/x", origin), learning=learning)[1]
    assert (verdict.kind, verdict.checks) == (Kind.EXEC_DRIFT, ("NL-01",))
    assert verdict.what == "/srv/x (/usr/bin/dash)"
    assert (verdict.learn, verdict.review, verdict.taints, verdict.cacheable) == (False, learning, True, False)
    assert verdict.severity is (Severity.HIGH if origin is Origin.VOLUME else Severity.CRITICAL)


@pytest.mark.parametrize("origin", [Origin.IMAGE, Origin.ROOTFS, Origin.COPYUP])
def test_a_script_of_the_image_is_an_open_like_any_other(origin: Origin) -> None:
    assert verdicts(shell("/app/x"), reads("/app/x", origin), learning=True)[1].learn


def test_a_person_approves_a_script_for_one_place_and_one_parent() -> None:
    verdict = verdicts(shell("/srv/x"), reads("/srv/x", Origin.VOLUME), learning=True)[1]
    assert verdict.behaviour is not None
    matcher = Matcher([verdict.behaviour])
    for by, origin, kind in (
        ("/entrypoint.sh", Origin.VOLUME, None),
        ("/entrypoint.sh", Origin.WRITABLE, Kind.EXEC_DRIFT),
        ("/usr/sbin/cron", Origin.VOLUME, Kind.EXEC_DRIFT),
    ):
        assert verdicts(shell("/srv/x", by=by), reads("/srv/x", origin), matcher=matcher)[1].kind is kind


def test_other_files_the_interpreter_opens_are_data() -> None:
    events = (shell("/app/run.sh"), reads("/data/in.csv", Origin.VOLUME), reads("/data/run.shx", Origin.VOLUME))
    assert [one.kind for one in verdicts(*events, learning=True)] == [None, None, None]


def test_another_programs_open_of_the_same_file_is_data() -> None:
    events = (shell("/srv/x"), reads("/srv/x", Origin.VOLUME, exec_id=10))
    assert verdicts(*events, learning=True)[1].learn


def test_the_kernel_tells_the_path_with_links_of_directories_resolved() -> None:
    assert verdicts(shell("/current/x.sh"), reads("/data/v2/x.sh", Origin.VOLUME))[1].kind is Kind.EXEC_DRIFT


def test_a_relative_script_and_one_with_its_own_first_line() -> None:
    assert verdicts(shell("./x.sh"), reads("/work/x.sh", Origin.WRITABLE))[1].kind is Kind.EXEC_DRIFT
    direct = executed("/usr/bin/dash", "/srv/x", ("/bin/sh", "/srv/x"), flags=SCRIPT, exec_id=9)
    assert verdicts(direct, reads("/srv/x", Origin.VOLUME), learning=True)[1].kind is Kind.EXEC_DRIFT


def test_a_temporary_script_is_told_once() -> None:
    first, second = verdicts(shell("/tmp/x"), reads("/tmp/x", Origin.WRITABLE), learning=True)
    assert (first.kind, second.kind) == (Kind.EXEC_DRIFT, None)
    assert verdicts(shell("/tmp/x"), reads("/tmp/x", Origin.WRITABLE))[1].kind is None


def test_the_approval_of_a_temporary_script_holds_for_its_open() -> None:
    told = verdicts(shell("/tmp/x"), learning=True)[0]
    assert told.behaviour is not None
    matcher = Matcher([told.behaviour])
    assert verdicts(shell("/tmp/x"), reads("/tmp/x", Origin.TMPFS), matcher=matcher, learning=True)[1].kind is None


def test_whoever_started_the_container_chose_its_first_script_on_a_volume() -> None:
    first = shell("/srv/run.sh", flags=INIT, by="")
    assert verdicts(first, reads("/srv/run.sh", Origin.VOLUME), learning=True)[1].learn
    assert verdicts(first, reads("/srv/run.sh", Origin.WRITABLE), learning=True)[1].kind is Kind.EXEC_DRIFT
    later = shell("/srv/run.sh", flags=INIT, by="/bin/sh")
    verdict = verdicts(later, reads("/srv/run.sh", Origin.VOLUME), learning=True)[1]
    assert (verdict.kind, verdict.taints) == (Kind.EXEC_DRIFT, False)


def test_writing_the_file_is_not_running_it() -> None:
    assert verdicts(shell("/srv/x"), reads("/srv/x", Origin.VOLUME, access=2), learning=True)[1].learn


def test_an_open_the_kernel_let_pass_for_another_program_of_the_same_exec_still_counts() -> None:
    """An exec the kernel knows runs under the id of the one that was told."""
    events = (shell("/srv/x"), reads("/srv/x", Origin.IMAGE), reads("/srv/x", Origin.WRITABLE))
    assert verdicts(*events)[2].kind is Kind.EXEC_DRIFT


def test_it_is_bounded_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RUNS", 1)
    scripts = Scripts()
    for exec_id in (9, 10):
        event = shell("/srv/x", exec_id=exec_id)
        scripts.start(event, judge(event, SUBJECT, NOTHING, True))
    assert scripts.run_of(reads("/srv/x", Origin.VOLUME, exec_id=9)) is None
    assert scripts.run_of(reads("/srv/x", Origin.VOLUME, exec_id=10)) is not None
    assert scripts.evictions == 1
