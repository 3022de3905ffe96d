"""Each check of an open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.baseline.behaviour import behaviour_of
from driftline.baseline.matching import Matcher
from driftline.baseline.schema import LEARNED, REVIEWED, Entry
from driftline.nouns import Access, Kind, OpenBehaviour, OpenEvent, Origin, RecordFlag, Severity
from driftline.verdict.judge import judge
from unit.baseline.making import SUBJECT, opened

READ, WRITE = 1, 2
EMPTY = int(Access.WRITE | Access.TRUNCATE)
CREATE = int(Access.CREATE)
NOTHING = Matcher()


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize(
    ("path", "access", "number", "kind"),
    [
        ("/etc/shadow", READ, "NL-13", Kind.FILE_READ_SENSITIVE),
        ("/host/etc/sudoers", READ, "NL-13", Kind.FILE_READ_SENSITIVE),
        ("/root/.ssh/id_rsa", READ, "NL-13", Kind.FILE_READ_SENSITIVE),
        ("/proc/7/environ", READ, "NL-13", Kind.FILE_READ_SENSITIVE),
        ("/proc/7/mem", READ, "NL-14", Kind.FILE_READ_SENSITIVE),
        ("/proc/kcore", READ, "NL-14", Kind.FILE_READ_SENSITIVE),
        ("/proc/sched_debug", READ, "NL-14", Kind.FILE_READ_SENSITIVE),
        ("/proc/7/mem", WRITE, "NL-14", Kind.FILE_WRITE_CODE),
        ("/proc/sys/kernel/core_pattern", WRITE, "NL-14", Kind.FILE_WRITE_CODE),
        ("/sys/fs/cgroup/x/release_agent", WRITE, "NL-14", Kind.FILE_WRITE_CODE),
        ("/proc/sys/kernel/randomize_va_space", WRITE, "NL-14", Kind.FILE_WRITE_CODE),
        ("/etc/ld.so.preload", WRITE, "NL-11", Kind.FILE_WRITE_CODE),
        ("/usr/bin/ls", WRITE, "NL-16", Kind.FILE_WRITE_CODE),
        ("/etc/cron.d/x", WRITE, "NL-16", Kind.FILE_WRITE_CODE),
        ("/root/.bashrc", WRITE, "NL-16", Kind.FILE_WRITE_CODE),
        ("/var/log/auth.log", EMPTY, "NL-17", Kind.FILE_WRITE_LOG),
        ("/root/.bash_history", EMPTY, "NL-17", Kind.FILE_WRITE_LOG),
    ],
)
def test_a_path_and_its_check(path: str, access: int, number: str, kind: Kind, learning: bool) -> None:
    event = opened(path, access)
    verdict = judge(event, SUBJECT, NOTHING, learning)
    assert (verdict.kind, verdict.checks) == (kind, (number,))
    assert (verdict.learn, verdict.review, verdict.cacheable) == (False, learning, False)
    excused = judge(event, SUBJECT, NOTHING, learning, excused=frozenset({number}))
    assert (excused.checks, excused.learn) == ((), learning)


def test_a_raw_disk() -> None:
    verdict = judge(opened("/dev/sdz", READ, Origin.PSEUDO, mode=0o060660), SUBJECT, NOTHING, True)
    assert (verdict.checks, verdict.technique) == (("NL-15",), "T1006")


def test_a_raw_disk_under_the_name_of_a_known_file_is_told_an_approved_one_is_not() -> None:
    learned = Entry(LEARNED, 1, 1, 1, frozenset())
    known = {OpenBehaviour(path, "read"): learned for path in ("/data/a", "/dev/sdy")}
    written, approved = replace(learned, source=REVIEWED), replace(learned, checks=("NL-15",))
    known |= {OpenBehaviour("/dev/sdz", "read"): written, OpenBehaviour("/data/disk", "read"): approved}
    matcher = Matcher(known)
    for path in ("/data/a", "/dev/sdy"):  # a file of that path was learned
        hidden = judge(opened(path, READ, Origin.PSEUDO, mode=0o060660), SUBJECT, matcher, False)
        assert hidden.checks == ("NL-15",)
    for path in ("/dev/sdz", "/data/disk"):
        assert judge(opened(path, READ, Origin.PSEUDO, mode=0o060660), SUBJECT, matcher, False).kind is None


@pytest.mark.parametrize(
    ("path", "access"),
    [
        ("/etc/passwd", READ),
        ("/usr/bin/ls", READ),
        ("/var/log/app.log", WRITE),
        ("/var/log/app.log", int(Access.WRITE | Access.APPEND)),
        ("/data/blog", EMPTY),
        ("/root/bash_history", EMPTY),
        ("/etc/shadows", READ),
    ],
)
def test_near_misses(path: str, access: int) -> None:
    verdict = judge(opened(path, access, Origin.WRITABLE), SUBJECT, NOTHING, True)
    assert (verdict.kind, verdict.learn) == (None, True)


def emptied(path: str, size: int, access: int = EMPTY) -> OpenEvent:
    event = opened(path, access, Origin.WRITABLE)
    event.file.size = size
    return event


def test_emptying_a_log_is_told_though_the_program_may_write_it() -> None:
    matcher = Matcher([OpenBehaviour("/var/log/app.log", "write")])
    for learning in (False, True):
        verdict = judge(emptied("/var/log/app.log", 10), SUBJECT, matcher, learning)
        assert (verdict.kind, verdict.severity, verdict.review) == (Kind.FILE_WRITE_LOG, Severity.MEDIUM, False)
    assert judge(opened("/var/log/app.log", WRITE), SUBJECT, matcher, False).cacheable


def test_a_log_made_anew_is_not_emptied_and_the_kernel_must_ask_again() -> None:
    matcher = Matcher([OpenBehaviour("/var/log/app.log", "write")])
    new = judge(emptied("/var/log/app.log", 0, EMPTY | CREATE), SUBJECT, matcher, False)
    assert (new.kind, new.cacheable) == (None, False)
    full = judge(emptied("/var/log/app.log", 9, EMPTY | CREATE), SUBJECT, matcher, False)
    assert full.kind is Kind.FILE_WRITE_LOG
    assert judge(emptied("/var/log/app.log", 0), SUBJECT, matcher, False).kind is Kind.FILE_WRITE_LOG


def test_what_was_typed_weighs_more_than_a_log() -> None:
    verdict = judge(emptied("/root/.bash_history", 10), SUBJECT, NOTHING, False)
    assert (verdict.severity, verdict.technique) == (Severity.HIGH, "T1070.003")


def test_io_uring_raises_a_deviation_and_is_none_by_itself() -> None:
    flag = int(RecordFlag.IO_URING)
    plain, ring = opened("/data/a", WRITE, Origin.WRITABLE), opened("/data/a", WRITE, Origin.WRITABLE, flag)
    assert judge(ring, SUBJECT, NOTHING, True).learn
    behaviour = behaviour_of(ring)
    assert behaviour is not None
    assert judge(ring, SUBJECT, Matcher([behaviour]), False).kind is None
    assert judge(plain, SUBJECT, NOTHING, False).severity is Severity.MEDIUM
    verdict = judge(ring, SUBJECT, NOTHING, False)
    assert (verdict.kind, verdict.severity, verdict.checks) == (Kind.FILE_WRITE_UNKNOWN, Severity.HIGH, ("NL-21",))


def test_a_file_that_could_be_a_script_is_not_swallowed_by_the_kernel() -> None:
    """Known as data, it may be given to an interpreter next: that open has to be seen."""
    matcher = Matcher([OpenBehaviour(path, "read") for path in ("/data/x.py", "/data/x.txt")])
    assert not judge(opened("/data/x.py", origin=Origin.VOLUME), SUBJECT, matcher, False).cacheable
    assert judge(opened("/data/x.txt", origin=Origin.VOLUME), SUBJECT, matcher, False).cacheable
    assert judge(opened("/data/x.py", origin=Origin.IMAGE), SUBJECT, matcher, False).cacheable
