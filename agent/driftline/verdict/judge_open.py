"""Verdict on an open.

In: an ``OpenEvent``. Out: file.read.sensitive, file.read.unknown, file.write.code, file.write.log, file.write.unknown,
or expected. A path found in the baseline is expected at once: what fails a check is in no baseline unless a person put
it there.
"""

from __future__ import annotations

from driftline.baseline.behaviour import WRITE_BITS, is_plain_device
from driftline.baseline.matching import READ, WRITE, Matcher
from driftline.nouns import Access, Kind, OpenEvent, Origin, RecordFlag, Severity, Subject
from driftline.verdict.checks.opens import BLOCK_DEVICE, FORMAT, check_emptied, check_open, empties
from driftline.verdict.checks.table import IO_URING, hit
from driftline.verdict.failing import NO_CHECKS, failing
from driftline.verdict.kinds import RULES
from driftline.verdict.outcome import EXPECTED, EXPECTED_ONCE, LEARN, LEARN_ONCE, Verdict, deviating, raised

_DIRECTORY = int(RecordFlag.DIRECTORY)
_ENTERED = int(RecordFlag.ENTERED)
_IO_URING = int(RecordFlag.IO_URING)
_TRUNCATE = int(Access.TRUNCATE)
NEVER_SEEN = "it never was while the image was learned"

_PSEUDO, _IMAGE = Origin.PSEUDO, Origin.IMAGE
_CODE_NAMES = (".sh", ".bash", ".py", ".pl", ".rb", ".js", ".mjs", ".lua", ".jar", ".tcl")
"""Read as data today, such a file may be given to an interpreter tomorrow: that open must not be swallowed by the
kernel. PHP's are left out: its servers open them by the thousand, without being given them."""
_QUIET_ORIGINS = frozenset({Origin.TMPFS, Origin.PSEUDO})


def judge_open(
    event: OpenEvent, subject: Subject, matcher: Matcher, learning: bool, excused: frozenset[str] = NO_CHECKS
) -> Verdict:
    """Return the verdict on an open."""
    writes = event.access & WRITE_BITS
    path = event.file.path
    known = matcher.opens.get(path, 0)
    if not known & WRITE and (writes or not known):
        listing = not writes and bool(event.flags & _DIRECTORY)
        known = matcher.open_bits(path, event.file.origin is _IMAGE, WRITE if writes else READ, listing)
    expected = bool(known & WRITE or (known and not writes))
    if expected and event.file.mode & FORMAT == BLOCK_DEVICE:  # else a disk passes for a file of that path
        expected = path in matcher.disks
    if event.access & _TRUNCATE and empties(event):
        return _judge_emptying(event, subject, learning, expected, excused)
    if expected:
        if event.file.origin is not _IMAGE and path.endswith(_CODE_NAMES):
            return LEARN_ONCE if learning else EXPECTED_ONCE
        return LEARN if learning else EXPECTED
    return _judge_unknown(event, subject, learning, excused)


def _judge_emptying(
    event: OpenEvent, subject: Subject, learning: bool, known: bool, excused: frozenset[str]
) -> Verdict:
    """An open that may empty a log: never remembered by the kernel, for the file may have grown by the next one."""
    otherwise = EXPECTED_ONCE
    if not known:
        otherwise = _judge_unknown(event, subject, learning, excused)._replace(cacheable=False)
    elif learning:
        otherwise = LEARN_ONCE
    found = check_emptied(event)
    if found is None or found.id in excused:
        return otherwise
    return failing(event, subject, event.file.path, [found], learning, known, otherwise)


def _judge_unknown(event: OpenEvent, subject: Subject, learning: bool, excused: frozenset[str]) -> Verdict:
    writes = bool(event.access & WRITE_BITS)
    found = check_open(event, writes)
    if found is not None and found.id not in excused:
        return failing(event, subject, event.file.path, [found], learning)
    if event.file.origin is _PSEUDO and is_plain_device(event.file.path):
        return EXPECTED
    if learning:  # an entered process's opens must come back until they count, so the kernel may not swallow them
        return LEARN_ONCE if event.flags & _ENTERED else LEARN
    verdict = _unknown(Kind.FILE_WRITE_UNKNOWN if writes else Kind.FILE_READ_UNKNOWN, event, subject)
    if event.flags & _IO_URING and IO_URING not in excused:
        return _by_io_uring(verdict)
    return verdict


def _by_io_uring(verdict: Verdict) -> Verdict:
    """Databases use io_uring for their work: by itself it says nothing, with a deviation it says more."""
    notes = (*verdict.notes, f"{IO_URING}: {hit(IO_URING).reason}")
    return verdict._replace(severity=raised(verdict.severity), notes=notes, checks=(IO_URING,))


def _unknown(kind: Kind, event: OpenEvent, subject: Subject) -> Verdict:
    path, origin = event.file.path, event.file.origin
    severity = RULES[kind].severity
    if kind is Kind.FILE_READ_UNKNOWN and origin is _IMAGE:
        severity = Severity.INFO
    elif origin in _QUIET_ORIGINS:
        severity = Severity.LOW
    return deviating(kind, event, subject, path, NEVER_SEEN, severity)
