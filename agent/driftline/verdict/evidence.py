"""Evidence: verdict and event → ``Deviation``, all that somebody needs to decide whether it is benign.

In: an event, its verdict and subject, and what other stages know (lineage, digest, baseline version). Out: a
``Deviation``. Why apart from the judge: this runs only for what is told, so it may cost more. Next: ``folding``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from driftline.nouns import (
    ConnectEvent,
    Deviation,
    Event,
    ExecEvent,
    ExecImage,
    LoadEvent,
    OpenEvent,
    Subject,
)
from driftline.verdict.outcome import Verdict
from driftline.verdict.uuid7 import Uuid7

_WITH_FILE = (ExecEvent, OpenEvent, LoadEvent)

MAX_ANCESTORS = 16
"""Ancestors told, as ``Deviation.ancestors`` promises."""


class Context(NamedTuple):
    """What the stages around know about one event."""

    node: str
    wall_ns: int  # Unix time of the event
    subject: Subject
    baseline: str = ""  # version judged against
    learning: bool = False
    reasons: tuple[str, ...] = ()  # why the baseline may be incomplete
    image: ExecImage | None = None  # program image the process runs, for events other than an exec
    ancestors: tuple[ExecImage, ...] = ()
    sha256: str = ""
    sha256_note: str = ""
    notes: tuple[str, ...] = ()  # what else is known, e.g. of its image's packages


def deviation_of(event: Event, verdict: Verdict, context: Context, ids: Uuid7) -> Deviation:
    """Return the deviation for a verdict that has a kind. Raises ValueError for one that has none."""
    if verdict.kind is None:
        raise ValueError("an expected event is no deviation")
    image = context.image
    exec_event = event if isinstance(event, ExecEvent) else None
    connect = event if isinstance(event, ConnectEvent) else None
    return Deviation(
        id=ids.make(context.wall_ns),
        kind=verdict.kind,
        severity=verdict.severity,
        sentence=verdict.sentence,
        technique=verdict.technique,
        what=verdict.what,
        first_wall_ns=context.wall_ns,
        last_wall_ns=context.wall_ns,
        first_kernel_ns=event.kernel_ns,
        last_kernel_ns=event.kernel_ns,
        node=context.node,
        subject=context.subject,
        baseline=context.baseline,
        learning=context.learning,
        process=event.process,
        argv=exec_event.argv if exec_event else image.argv if image else (),
        cwd=exec_event.cwd if exec_event else "",
        tty=exec_event.tty if exec_event else "",
        exe=exec_event.file.path if exec_event else image.path if image else "",
        ancestors=context.ancestors[:MAX_ANCESTORS],
        file=event.file if isinstance(event, _WITH_FILE) else None,
        access=event.access if isinstance(event, OpenEvent) else 0,
        sha256=context.sha256,
        sha256_note=context.sha256_note,
        protocol=connect.protocol if connect else "",
        address=connect.address if connect else "",
        port=connect.port if connect else 0,
        flags=event.flags,
        environment=exec_event.environment if exec_event else (),
        checks=verdict.checks,
        notes=verdict.notes + context.notes + _partial(context.reasons),
    )


@lru_cache(maxsize=64)  # few baselines are partial at a time, and each tells the same of all that deviates from it
def _partial(reasons: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"baseline partial: {reason}" for reason in reasons)
