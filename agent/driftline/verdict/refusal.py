"""Refusals: a baseline that did not come into force → the deviation ``baseline.refused``.

In: why, and a container of the image. Out: a deviation. Next: the pipeline tells it.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.nouns import Deviation, Kind, Severity, Subject
from driftline.verdict.eventless import Moment, Told, without_event
from driftline.verdict.outcome import image
from driftline.verdict.uuid7 import Uuid7


class Refused(NamedTuple):
    """A baseline that was refused, and a container of its image."""

    subject: Subject
    severity: Severity
    why: str


def refusal_of(refused: Refused, node: str, wall_ns: int, kernel_ns: int, ids: Uuid7) -> Deviation:
    """Return the deviation for a refused baseline."""
    subject = refused.subject
    told = Told(Kind.BASELINE_REFUSED, subject, image(subject), refused.why, refused.severity)
    return without_event(told, Moment(node, wall_ns, kernel_ns), ids)
