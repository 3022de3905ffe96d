"""What people and earlier images said of a deviation, put into its verdict.

In: a verdict, and the matcher's behaviours that are no more than known of: unconfirmed, waiting for review, rejected.
Out: the verdict with severity and note. Why after the judges: it is the same for every type of event, and costs
nothing where there is nothing of the kind. Next: ``judge``.
"""

from __future__ import annotations

import re

from driftline.nouns import Severity
from driftline.verdict.checks.table import IO_URING
from driftline.verdict.kinds import RULES
from driftline.verdict.outcome import Verdict

PENDING = "waits for review since it was learned"
REJECTED = "was rejected in review"
UNCONFIRMED = "was carried over from the image before, from a package that changed: not seen again yet"
AGAIN = "being learned again"

_NEVER = re.compile(r"\S+ never \w+( it)? while the image was learned$")
"""The end of a sentence that is not true of these: they are in the baseline."""


def rejected(verdict: Verdict) -> Verdict:
    """Return the verdict on what a person refused: never quiet, never learned."""
    severity = max(verdict.severity, Severity.MEDIUM, key=lambda one: one.rank)
    told = _saying(verdict, REJECTED)
    return told._replace(severity=severity, learn=False, review=False, cacheable=False)


def pending(verdict: Verdict) -> Verdict:
    """Return the verdict on what waits for review; quiet if it may be the service's own work."""
    severity = Severity.LOW if verdict.own else verdict.severity
    return _saying(verdict, PENDING)._replace(severity=severity)


def unconfirmed(verdict: Verdict) -> Verdict:
    """Return the verdict on what the image before did with a package that changed since."""
    return _saying(verdict, UNCONFIRMED)._replace(severity=Severity.LOW)


def _saying(verdict: Verdict, note: str) -> Verdict:
    """``verdict`` with the note, and with a sentence that agrees with it."""
    sentence = _NEVER.sub(lambda _match: f"it {note}", verdict.sentence)
    return verdict._replace(sentence=sentence, notes=(*verdict.notes, note))


def learned_again(verdict: Verdict, why: str) -> Verdict:
    """Return the verdict, made with ``learning`` false, for a baseline that judges while it is learned again.

    What may be learned is told at most quietly, with ``why``, and learned; a failed check stays what it is and goes to
    review.
    """
    if verdict.kind is None or REJECTED in verdict.notes:
        return verdict
    if verdict.checks and verdict.checks != (IO_URING,):
        return verdict._replace(review=True)
    if not RULES[verdict.kind].learnable:
        return verdict
    severity = min(verdict.severity, Severity.LOW, key=lambda one: one.rank)
    return verdict._replace(severity=severity, notes=(*verdict.notes, f"{AGAIN}: {why}"), learn=True)
