"""Verdicts on opens."""

from __future__ import annotations

import pytest

from driftline.baseline.behaviour import behaviour_of
from driftline.baseline.matching import Matcher
from driftline.baseline.schema import LEARNED, Entry, Standing
from driftline.nouns import Kind, OpenBehaviour, Origin, RecordFlag, Severity
from driftline.verdict.judge import judge
from driftline.verdict.standing import PENDING, REJECTED, UNCONFIRMED
from unit.baseline.making import SUBJECT, opened

READ, WRITE, READ_WRITE = 1, 2, 3
NOTHING = Matcher()
ENTERED = int(RecordFlag.ENTERED)


def waits(*checks: str, standing: Standing = Standing.NEEDS_REVIEW) -> Entry:
    return Entry(LEARNED, 1, 1, 1, frozenset({"c"}), standing, checks)


def test_unknown_reads_and_writes() -> None:
    read = judge(opened("/data/a", READ, Origin.VOLUME), SUBJECT, NOTHING, False)
    assert (read.kind, read.severity, read.technique) == (Kind.FILE_READ_UNKNOWN, Severity.LOW, "T1083")
    image = judge(opened("/usr/share/a"), SUBJECT, NOTHING, False)
    assert (image.kind, image.severity) == (Kind.FILE_READ_UNKNOWN, Severity.INFO)
    write = judge(opened("/data/a", WRITE, Origin.WRITABLE), SUBJECT, NOTHING, False)
    assert (write.kind, write.severity) == (Kind.FILE_WRITE_UNKNOWN, Severity.MEDIUM)
    scratch = judge(opened("/tmp/a", WRITE, Origin.TMPFS), SUBJECT, NOTHING, False)
    assert (scratch.kind, scratch.severity) == (Kind.FILE_WRITE_UNKNOWN, Severity.LOW)
    assert write.sentence == ("/data/a was opened for writing in shop-1/web: it never was while the image was learned")


def test_known_is_expected_and_a_known_write_covers_the_read() -> None:
    matcher = Matcher([OpenBehaviour("/data/a", "write"), OpenBehaviour("/data/b", "read")])
    for path, access in (("/data/a", WRITE), ("/data/a", READ), ("/data/b", READ)):
        verdict = judge(opened(path, access), SUBJECT, matcher, False)
        assert (verdict.kind, verdict.cacheable) == (None, True)
    for access in (WRITE, READ_WRITE):
        assert judge(opened("/data/b", access), SUBJECT, matcher, False).kind is Kind.FILE_WRITE_UNKNOWN


def test_folded_paths_match() -> None:
    matcher = Matcher(
        [
            OpenBehaviour("/proc/{pid}/stat", "read"),
            OpenBehaviour("/run/secrets/kubernetes.io/serviceaccount/..{time}/token", "read"),
        ]
    )
    token = "/run/secrets/kubernetes.io/serviceaccount/..2026_11_23_08_00_01.1/token"
    assert judge(opened("/proc/77/stat", origin=Origin.PSEUDO), SUBJECT, matcher, False).kind is None
    assert judge(opened(token, origin=Origin.TMPFS), SUBJECT, matcher, False).kind is None
    assert judge(opened("/proc/77/stat"), SUBJECT, matcher, False).kind is Kind.FILE_READ_UNKNOWN


def test_plain_devices_are_expected() -> None:
    verdict = judge(opened("/dev/null", WRITE, Origin.PSEUDO), SUBJECT, NOTHING, True)
    assert (verdict.kind, verdict.learn, verdict.cacheable) == (None, False, True)
    assert judge(opened("/dev/null", WRITE, Origin.TMPFS), SUBJECT, NOTHING, False).kind is Kind.FILE_WRITE_UNKNOWN


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("access", [READ, WRITE, READ_WRITE])
def test_a_raw_disk_is_always_told(access: int, learning: bool) -> None:
    verdict = judge(opened("/dev/null", access, Origin.PSEUDO, mode=0o060660), SUBJECT, NOTHING, learning)
    assert (verdict.kind, verdict.severity) == (Kind.FILE_READ_SENSITIVE, Severity.CRITICAL)
    assert not verdict.learn


@pytest.mark.parametrize("learning", [False, True])
def test_password_hashes_are_only_learned_for_review(learning: bool) -> None:
    verdict = judge(opened("/etc/shadow"), SUBJECT, NOTHING, learning)
    assert (verdict.kind, verdict.learn, verdict.cacheable) == (Kind.FILE_READ_SENSITIVE, False, False)
    assert (verdict.technique, verdict.checks, verdict.review) == ("T1003.008", ("NL-13",), learning)
    assert verdict.severity is Severity.HIGH


def test_a_services_own_credentials_are_quiet_until_reviewed_and_loud_if_never_seen() -> None:
    event = opened("/run/secrets/kubernetes.io/serviceaccount/token", origin=Origin.TMPFS)
    behaviour = behaviour_of(event)
    assert behaviour is not None
    learning = judge(event, SUBJECT, NOTHING, True)
    assert (learning.kind, learning.severity, learning.review) == (Kind.FILE_READ_SENSITIVE, Severity.LOW, True)
    waiting = Matcher({behaviour: waits("NL-13")})
    pending = judge(event, SUBJECT, waiting, False)
    assert (pending.severity, pending.notes) == (Severity.LOW, (PENDING,))
    verdict = judge(event, SUBJECT, NOTHING, False)
    assert (verdict.kind, verdict.severity, verdict.technique) == (Kind.FILE_READ_SENSITIVE, Severity.HIGH, "T1528")
    assert judge(event, SUBJECT, Matcher([behaviour]), False).kind is None


@pytest.mark.parametrize("learning", [False, True])
def test_what_a_person_rejected_is_told_and_not_learned(learning: bool) -> None:
    event = opened("/data/a")
    behaviour = behaviour_of(event)
    assert behaviour is not None
    matcher = Matcher({behaviour: waits(standing=Standing.REJECTED)})
    verdict = judge(event, SUBJECT, matcher, learning)
    assert (verdict.kind, verdict.severity) == (Kind.FILE_READ_UNKNOWN, Severity.MEDIUM)
    assert REJECTED in verdict.notes
    assert (verdict.learn, verdict.review, verdict.cacheable) == (False, False, False)


def test_what_an_older_image_did_with_a_changed_package_is_told_quietly() -> None:
    event = opened("/data/a", WRITE, Origin.WRITABLE)
    behaviour = behaviour_of(event)
    assert behaviour is not None
    verdict = judge(event, SUBJECT, Matcher({behaviour: waits(standing=Standing.UNCONFIRMED)}), False)
    assert (verdict.kind, verdict.severity, verdict.notes) == (Kind.FILE_WRITE_UNKNOWN, Severity.LOW, (UNCONFIRMED,))


def test_a_read_write_open_of_a_secret_is_sensitive_too() -> None:
    assert judge(opened("/srv/.netrc", READ_WRITE), SUBJECT, NOTHING, False).kind is Kind.FILE_READ_SENSITIVE
    assert judge(opened("/srv/.netrc", WRITE), SUBJECT, NOTHING, False).kind is Kind.FILE_WRITE_UNKNOWN
    assert judge(opened("/srv/.netrc", READ_WRITE), SUBJECT, NOTHING, True).review


def test_listing_a_directory_of_secrets_is_not_reading_them() -> None:
    event = opened("/run/secrets/a", flags=int(RecordFlag.DIRECTORY))
    assert judge(event, SUBJECT, NOTHING, False).kind is Kind.FILE_READ_UNKNOWN


@pytest.mark.parametrize("learning", [False, True])
def test_writing_code_is_always_told(learning: bool) -> None:
    verdict = judge(opened("/usr/bin/ls", WRITE, Origin.WRITABLE), SUBJECT, NOTHING, learning)
    assert (verdict.kind, verdict.severity, verdict.learn) == (Kind.FILE_WRITE_CODE, Severity.HIGH, False)
    assert (verdict.checks, verdict.review) == (("NL-16",), learning)
    assert judge(opened("/usr/bin/ls"), SUBJECT, NOTHING, True).learn


def test_learning_lets_the_kernel_remember_but_not_what_an_entered_process_does() -> None:
    own = judge(opened("/data/a"), SUBJECT, NOTHING, True)
    assert (own.kind, own.learn, own.cacheable) == (None, True, True)
    entered = judge(opened("/data/a", flags=ENTERED), SUBJECT, NOTHING, True)
    assert (entered.kind, entered.learn, entered.cacheable) == (None, True, False)
    again = judge(opened("/data/a", flags=ENTERED), SUBJECT, Matcher([OpenBehaviour("/data/a", "read")]), True)
    assert (again.kind, again.learn, again.cacheable) == (None, True, True)


def test_a_directory_of_a_cache_may_be_listed_and_a_file_of_that_name_not_opened() -> None:
    matcher = Matcher([OpenBehaviour("/cache/{hex}/{hex}/{hash}", "read")])
    listed, written = (opened("/cache/3/a2", access, Origin.WRITABLE, int(RecordFlag.DIRECTORY)) for access in (1, 2))
    assert judge(listed, SUBJECT, matcher, False).kind is None
    assert judge(written, SUBJECT, matcher, False).kind is Kind.FILE_WRITE_UNKNOWN
    file = opened("/cache/3/a2", 1, Origin.WRITABLE)
    assert judge(file, SUBJECT, matcher, False).kind is Kind.FILE_READ_UNKNOWN
