"""Verdict on a file mapped executable: a library, a dlopen, an LD_PRELOAD.

In: a ``LoadEvent``. Out: code.load, or expected. Code of the image is always expected; anything put there later
never is, whatever its path: the baseline is only asked where the kernel could not tell.
"""

from __future__ import annotations

from driftline.baseline.matching import Matcher
from driftline.nouns import Kind, LoadEvent, Origin, RecordFlag, Severity, Subject
from driftline.verdict.outcome import COMPARE, EXPECTED, LEARN, LEARN_ONCE, Verdict, deviating

_ONCE = int(RecordFlag.ENTERED | RecordFlag.FOREIGN_MOUNT_NS)

_WHERE_FROM = {
    Origin.WRITABLE: "it was written into the container after it started",
    Origin.VOLUME: "it lies on a volume, not in the image",
    Origin.TMPFS: "it lies in memory (tmpfs), not in the image",
    Origin.MEMFD: "it has no file at all (memfd)",
    Origin.DELETED: "its file was deleted",
}
_WORST = frozenset({Origin.MEMFD, Origin.DELETED, Origin.TMPFS})


def judge_load(event: LoadEvent, subject: Subject, matcher: Matcher, learning: bool) -> Verdict:
    """Return the verdict on an executable mapping."""
    origin = event.file.origin
    if origin is Origin.IMAGE:
        return _expected(event, learning)
    if origin is Origin.COPYUP:
        return COMPARE
    reason = _WHERE_FROM.get(origin)
    if reason is None:
        if learning or event.file.path in matcher.loads:
            return _expected(event, learning)
        reason = "it never was while the image was learned"
    severity = Severity.CRITICAL if origin in _WORST else None
    return deviating(Kind.CODE_LOAD, event, subject, event.file.path, reason, severity)


def _expected(event: LoadEvent, learning: bool) -> Verdict:
    if not learning:
        return EXPECTED
    return LEARN_ONCE if event.flags & _ONCE else LEARN
