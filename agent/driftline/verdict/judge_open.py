"""Verdict on an open.

In: an ``OpenEvent``. Out: file.read.sensitive, file.read.unknown, file.write.code, file.write.unknown, or expected.
A path found in the baseline is expected at once: what is never learned is in no baseline unless a person put it there.
"""

from __future__ import annotations

from driftline.baseline.behaviour import WRITE_BITS, is_plain_device, open_path
from driftline.baseline.matching import WRITE, Matcher
from driftline.nouns import Access, Kind, OpenEvent, Origin, RecordFlag, Severity, Subject
from driftline.verdict.kinds import RULES
from driftline.verdict.outcome import EXPECTED, LEARN, LEARN_ONCE, Verdict, deviating
from driftline.verdict.paths import DISK, PathRule, code_write, sensitive_read

_ENTERED = int(RecordFlag.ENTERED)
_DIRECTORY = int(RecordFlag.DIRECTORY)
_READ_BIT = int(Access.READ)
NEVER_SEEN = "it never was while the image was learned"
_FORMAT, _BLOCK_DEVICE = 0o170000, 0o060000  # S_IFMT, S_IFBLK

_PSEUDO = Origin.PSEUDO
_QUIET_ORIGINS = frozenset({Origin.TMPFS, Origin.PSEUDO})


def judge_open(event: OpenEvent, subject: Subject, matcher: Matcher, learning: bool) -> Verdict:
    """Return the verdict on an open."""
    writes = event.access & WRITE_BITS
    path = event.file.path
    known = matcher.opens.get(path)
    if known is None and (event.file.origin is _PSEUDO or "/." in path or "/__py" in path):
        known = matcher.opens.get(open_path(event))
    if known is not None and (known & WRITE or not writes):
        return LEARN if learning else EXPECTED
    if event.file.mode & _FORMAT == _BLOCK_DEVICE:
        return _sensitive(event, subject, DISK, False)
    if event.file.origin is _PSEUDO and is_plain_device(event.file.path):
        return EXPECTED
    return _judge_write(event, subject, learning) if writes else _judge_read(event, subject, learning)


def _judge_write(event: OpenEvent, subject: Subject, learning: bool) -> Verdict:
    path = event.file.path
    rule = code_write(path)
    if rule is not None:
        return deviating(Kind.FILE_WRITE_CODE, event, subject, path, rule.reason, rule.severity, rule.technique)
    secret = sensitive_read(path) if event.access & _READ_BIT else None  # a read-write open reads as well
    if secret is not None:
        return _sensitive(event, subject, secret, learning)
    return _unknown(Kind.FILE_WRITE_UNKNOWN, event, subject, learning)


def _judge_read(event: OpenEvent, subject: Subject, learning: bool) -> Verdict:
    rule = None if event.flags & _DIRECTORY else sensitive_read(event.file.path)
    if rule is not None:
        return _sensitive(event, subject, rule, learning)
    return _unknown(Kind.FILE_READ_UNKNOWN, event, subject, learning)


def _sensitive(event: OpenEvent, subject: Subject, rule: PathRule, learning: bool) -> Verdict:
    if learning and rule.learnable:
        return _learn(event)
    path = event.file.path
    return deviating(Kind.FILE_READ_SENSITIVE, event, subject, path, rule.reason, rule.severity, rule.technique)


def _unknown(kind: Kind, event: OpenEvent, subject: Subject, learning: bool) -> Verdict:
    if learning:
        return _learn(event)
    path, origin = event.file.path, event.file.origin
    severity = RULES[kind].severity
    if kind is Kind.FILE_READ_UNKNOWN and origin is Origin.IMAGE:
        severity = Severity.INFO
    elif origin in _QUIET_ORIGINS:
        severity = Severity.LOW
    return deviating(kind, event, subject, path, NEVER_SEEN, severity)


def _learn(event: OpenEvent) -> Verdict:
    """An entered process's opens must come back until they count, so the kernel may not swallow them."""
    return LEARN_ONCE if event.flags & _ENTERED else LEARN
