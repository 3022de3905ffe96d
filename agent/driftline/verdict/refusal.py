"""Refusals: a baseline that did not come into force → the deviation ``baseline.refused``.

In: why, and a container of the image. Out: a deviation. Next: the pipeline tells it.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.nouns import Deviation, Kind, Severity, Subject
from driftline.verdict.kinds import RULES
from driftline.verdict.outcome import image, place
from driftline.verdict.uuid7 import Uuid7


class Refused(NamedTuple):
    """A baseline that was refused, and a container of its image."""

    subject: Subject
    severity: Severity
    why: str


def refusal_of(refused: Refused, node: str, wall_ns: int, kernel_ns: int, ids: Uuid7) -> Deviation:
    """Return the deviation for a refused baseline."""
    rule, subject = RULES[Kind.BASELINE_REFUSED], refused.subject
    what = image(subject)
    return Deviation(
        id=ids.make(wall_ns),
        kind=Kind.BASELINE_REFUSED,
        severity=refused.severity,
        sentence=rule.sentence.format(what=what, where=place(subject), why=refused.why),
        technique=rule.technique,
        what=what,
        first_wall_ns=wall_ns,
        last_wall_ns=wall_ns,
        first_kernel_ns=kernel_ns,
        last_kernel_ns=kernel_ns,
        node=node,
        subject=subject,
        baseline="",
        learning=False,
    )
