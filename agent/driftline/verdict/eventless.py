"""Deviations about no event: something lost, refused, or not fitting.

In: what is told, where, when. Out: a ``Deviation`` without a process. Why apart from ``evidence``: that describes what
a process did. Next: ``gap``, ``ownership`` and ``refusal`` say what.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.nouns import Deviation, Kind, Severity, Subject
from driftline.verdict.kinds import RULES
from driftline.verdict.outcome import place
from driftline.verdict.uuid7 import Uuid7


class Told(NamedTuple):
    """What to tell; the kind's rule says the rest."""

    kind: Kind
    subject: Subject
    what: str
    why: str  # ends the sentence
    severity: Severity | None = None  # None: the kind's own
    where: str = ""  # "": what ``subject`` is called


class Moment(NamedTuple):
    """Where and when it was found."""

    node: str
    wall_ns: int
    kernel_ns: int


def without_event(told: Told, moment: Moment, ids: Uuid7) -> Deviation:
    """Return the deviation."""
    rule = RULES[told.kind]
    where = told.where or place(told.subject)
    return Deviation(
        id=ids.make(moment.wall_ns),
        kind=told.kind,
        severity=told.severity or rule.severity,
        sentence=rule.sentence.format(what=told.what, where=where, why=told.why),
        technique=rule.technique,
        what=told.what,
        first_wall_ns=moment.wall_ns,
        last_wall_ns=moment.wall_ns,
        first_kernel_ns=moment.kernel_ns,
        last_kernel_ns=moment.kernel_ns,
        node=moment.node,
        subject=told.subject,
        baseline="",
        learning=False,
    )
