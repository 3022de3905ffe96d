"""Verdict on a file mapped executable: a library, a dlopen, an LD_PRELOAD.

In: a ``LoadEvent``. Out: code.load, or expected. Code of the image is always expected; anything put there later only if
a person allowed it, for the place it came from. Where the kernel could not tell, the baseline decides.
"""

from __future__ import annotations

from driftline.baseline.behaviour import foreign_origin
from driftline.baseline.matching import Matcher
from driftline.baseline.patterns.paths import is_temporary
from driftline.nouns import Kind, LoadBehaviour, LoadEvent, Origin, RecordFlag, Severity, Subject
from driftline.verdict.checks.table import FILELESS, NOT_OF_IMAGE, TEMPORARY, Hit, hit
from driftline.verdict.failing import NO_CHECKS, failing, still
from driftline.verdict.outcome import COMPARE, EXPECTED, LEARN, LEARN_ONCE, Verdict, deviating

_ONCE = int(RecordFlag.ENTERED | RecordFlag.FOREIGN_MOUNT_NS)

_WHERE_FROM = {
    Origin.WRITABLE: "it was written into the container after it started",
    Origin.VOLUME: "it lies on a volume, not in the image",
    Origin.TMPFS: "it lies in memory (tmpfs), not in the image",
    Origin.MEMFD: "it has no file at all (memfd)",
    Origin.DELETED: "its file was deleted",
}
_NO_FILE = frozenset({Origin.MEMFD, Origin.DELETED})
_WORST = _NO_FILE | {Origin.TMPFS}
_TECHNIQUE = "T1574.006"


def judge_load(
    event: LoadEvent, subject: Subject, matcher: Matcher, learning: bool, excused: frozenset[str] = NO_CHECKS
) -> Verdict:
    """Return the verdict on an executable mapping.

    It taints nothing: run-times that compile into a memfd would put all they do up for review.
    """
    origin = event.file.origin
    if origin is Origin.IMAGE:
        return _expected(event, learning)
    if origin is Origin.COPYUP:
        return COMPARE
    if _is_known(event, matcher):
        return _expected(event, learning)
    hits = still(_foreign(event), excused)
    if hits:
        return failing(event, subject, event.file.path, hits, learning)._replace(taints=False)
    return _expected(event, learning) if learning else _unknown(event, subject)


def _is_known(event: LoadEvent, matcher: Matcher) -> bool:
    origin = foreign_origin(event.file)
    if origin:
        return bool(matcher.foreign_loads) and LoadBehaviour(event.file.path, origin) in matcher.foreign_loads
    return event.file.path in matcher.loads


def _foreign(event: LoadEvent) -> list[Hit]:
    origin = event.file.origin
    reason = _WHERE_FROM.get(origin)
    if reason is None:
        return []
    severity = Severity.CRITICAL if origin in _WORST else Severity.HIGH
    number = FILELESS if origin in _NO_FILE else NOT_OF_IMAGE
    hits = [hit(number, reason, severity, _TECHNIQUE, Kind.CODE_LOAD)]
    if origin not in _NO_FILE and is_temporary(event.file.path):
        hits.append(hit(TEMPORARY, severity=Severity.HIGH, technique=_TECHNIQUE, kind=Kind.CODE_LOAD))
    return hits


def _unknown(event: LoadEvent, subject: Subject) -> Verdict:
    reason = "it never was while the image was learned"
    return deviating(Kind.CODE_LOAD, event, subject, event.file.path, reason)


def _expected(event: LoadEvent, learning: bool) -> Verdict:
    if not learning:
        return EXPECTED
    return LEARN_ONCE if event.flags & _ONCE else LEARN
