"""Verdict on a process that was moved out of its container's cgroup: always told, never learned.

In: the event. Out: a verdict. Why a gap and not a crime: an engine that nests cgroups in odd ways may do it; what the
process does from then on is not seen, and silence must not be mistaken for calm. Next: ``judge``.
"""

from __future__ import annotations

from driftline.nouns import Kind, LeftEvent, Severity, Subject
from driftline.verdict.outcome import Verdict, deviating

TECHNIQUE = "T1562.001"  # Impair Defenses: Disable or Modify Tools


def judge_left(event: LeftEvent, subject: Subject) -> Verdict:
    """Return the verdict."""
    process = event.process
    what = f"process {process.pid} ({process.comm})"
    why = f"it was moved out of its container's cgroup to {event.path}: what it does from now on is not seen"
    return deviating(Kind.COVERAGE_GAP, event, subject, what, why, Severity.HIGH, TECHNIQUE)
