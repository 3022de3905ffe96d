"""Checks of an open: which of the path rules is which check.

In: an ``OpenEvent`` the baseline does not hold. Out: the check it fails, or None. The path is the one the kernel
resolved: links, ``..`` and the node's root mounted somewhere hide nothing, which is all of NL-20. Next: ``judge_open``.
"""

from __future__ import annotations

from driftline.baseline.patterns.paths import DISK, PathRule, code_write, is_history, is_log, sensitive_read
from driftline.nouns import Access, Kind, OpenEvent, RecordFlag, Severity
from driftline.verdict.checks.table import LOG, Hit, hit

_READ, _CREATE, _TRUNCATE = int(Access.READ), int(Access.CREATE), int(Access.TRUNCATE)
_DIRECTORY = int(RecordFlag.DIRECTORY)
FORMAT, BLOCK_DEVICE = 0o170000, 0o060000  # S_IFMT, S_IFBLK


def check_open(event: OpenEvent, writes: bool) -> Hit | None:
    """Return the check the open fails."""
    if event.file.mode & FORMAT == BLOCK_DEVICE:
        return _of(DISK, Kind.FILE_READ_SENSITIVE)
    path = event.file.path
    if writes:
        rule = code_write(path)
        if rule is not None:
            return _of(rule, Kind.FILE_WRITE_CODE)
        if not event.access & _READ:  # a read-write open reads as well
            return None
    rule = None if event.flags & _DIRECTORY else sensitive_read(path)
    return None if rule is None else _of(rule, Kind.FILE_READ_SENSITIVE)


def _of(rule: PathRule, kind: Kind) -> Hit:
    return hit(rule.check, rule.reason, rule.severity, rule.technique, kind, rule.own)


def check_emptied(event: OpenEvent) -> Hit | None:
    """Return the hit if a log or a shell's history was emptied; asked of known writes too: an entry says no more.

    A program that makes its log anew asks the same of a file that is not there: then there is nothing to empty. Where
    the open is read at the system call's exit, the size is that after the emptying, and such an open is not told.
    """
    if event.access & _CREATE and event.file.size == 0:
        return None
    if is_history(event.file.path):
        return hit(LOG, "the commands somebody typed were wiped", Severity.HIGH, "T1070.003")
    return hit(LOG, "a log was emptied") if is_log(event.file.path) else None


def empties(event: OpenEvent) -> bool:
    """Whether the open may empty a log, so that the kernel must not swallow the next one."""
    return bool(event.access & _TRUNCATE) and (is_log(event.file.path) or is_history(event.file.path))
