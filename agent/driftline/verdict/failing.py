"""Checks that an event failed → its verdict.

In: the hits, and what the baseline says of the event. Out: one verdict with all ids. The gravest hit names kind and
reason, the others are notes. Why apart from the judges: exec, open, load and connect tell alike. Next: ``judge``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from driftline.baseline.schema import MAX_CHECKS
from driftline.nouns import Behaviour, Event, Severity, Subject
from driftline.verdict.checks.table import CHECKS, Hit
from driftline.verdict.outcome import EXPECTED_ONCE, Verdict, deviating

NO_CHECKS: frozenset[str] = frozenset()


def still(hits: Iterable[Hit], excused: frozenset[str]) -> list[Hit]:
    """Return the hits of checks that are not excused for the image."""
    return [one for one in hits if one.id not in excused]


def failing(
    event: Event,
    subject: Subject,
    what: str,
    hits: Sequence[Hit],
    learning: bool,
    known: bool = False,
    otherwise: Verdict = EXPECTED_ONCE,
    behaviour: Behaviour | None = None,
) -> Verdict:
    """Return the verdict on an event that failed ``hits``, at least one.

    ``known``: the baseline holds it (the check is about something an entry does not say), so it is not put up for
    review. ``otherwise``: the verdict without the checks; its kind is less exact, but the higher severity counts.
    ``behaviour``: what was judged, if that is not the event's own. Own work of the service is quiet while learning.
    """
    worst = max(hits, key=lambda one: one.severity.rank)
    severity = Severity.LOW if learning and worst.own else worst.severity
    notes = [f"{one.id}: {one.reason}" for one in hits if one is not worst]
    if otherwise.kind is not None and otherwise.kind is not worst.kind:
        severity = max(severity, otherwise.severity, key=lambda one: one.rank)
        notes.append(f"also {otherwise.kind}: not in the baseline")
    notes += [note for note in otherwise.notes if note not in notes]
    verdict = deviating(worst.kind, event, subject, what, worst.reason, severity, worst.technique)
    return verdict._replace(
        notes=(*(note for note in notes if note not in verdict.notes), *verdict.notes),
        checks=tuple(sorted({one.id for one in hits})[:MAX_CHECKS]),
        review=learning and not known,
        taints=any(CHECKS[one.id].taints for one in hits),
        own=worst.own,
        behaviour=behaviour,
    )
