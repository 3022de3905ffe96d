"""Judge: event and baseline → verdict. The hot path of user space.

In: a decoded event, its subject, the matcher of its image's baseline, whether that is still being learned. Out: a
``Verdict``. Pure and total: no clock, no I/O, never raises for any event. Why one module per event type: they share
nothing but the outcome. Next: ``evidence`` for what is worth telling, ``learning`` for what may be learned.
"""

from __future__ import annotations

from dataclasses import replace

from driftline.baseline.behaviour import behaviour_of
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.matching import Matcher
from driftline.baseline.patterns.addresses import NOTHING_KNOWN, Surroundings
from driftline.nouns import (
    ConnectEvent,
    Event,
    ExecEvent,
    ExecImage,
    LeftEvent,
    LoadEvent,
    OpenEvent,
    Origin,
    Severity,
    Subject,
)
from driftline.verdict import standing
from driftline.verdict.failing import NO_CHECKS
from driftline.verdict.judge_connect import judge_connect
from driftline.verdict.judge_exec import judge_exec
from driftline.verdict.judge_left import judge_left
from driftline.verdict.judge_load import judge_load
from driftline.verdict.judge_open import judge_open
from driftline.verdict.judge_script import Run, judge_script
from driftline.verdict.outcome import EXPECTED_ONCE, Verdict

NOT_COMPARED = "not told from the image's file by size and time, and the contents could not be compared"


def judge(
    event: Event,
    subject: Subject,
    matcher: Matcher,
    learning: bool,
    surroundings: Surroundings = NOTHING_KNOWN,
    inventory: Inventory | None = None,
    excused: frozenset[str] = NO_CHECKS,
    preset: frozenset[str] = NO_CHECKS,
    image: ExecImage | None = None,
    run: Run | None = None,
) -> Verdict:
    """Return the verdict on ``event``.

    ``surroundings``: the container's addresses and names. ``inventory``: what its image ships. ``excused``: ids of
    checks that do not fire for the image. Of an exec, ``preset``: ``checks.execs.started_with`` of the container.
    Of a connect, ``image``: the program. Of an open, ``run``: the script it is the beginning of (``scripts``).

    ``Verdict.compare`` set means undecided: find out whether the file equals the image's (``copyup.compare``) and call
    ``judge_compared``.
    """
    facts = (surroundings, inventory, excused, preset, image, run)
    verdict = _judge(event, subject, matcher, learning, *facts)
    if verdict.compare or (verdict.kind is None and not (verdict.learn and matcher.rejected)):
        return verdict
    if verdict.kind is not None and not verdict.checks and matcher.unconfirmed is not None:
        quiet = _judge(event, subject, matcher.unconfirmed, False, *facts)
        if quiet.kind is None and not quiet.compare:
            return standing.unconfirmed(verdict)
    if not matcher.pending and not matcher.rejected:
        return verdict
    behaviour = verdict.behaviour or behaviour_of(event, surroundings)
    if behaviour in matcher.rejected:
        told = verdict if verdict.kind is not None else _judge(event, subject, matcher, False, *facts)
        return standing.rejected(told) if told.kind is not None else told
    if verdict.kind is not None and not learning and behaviour in matcher.pending:
        return standing.pending(verdict)
    return verdict


def _judge(
    event: Event,
    subject: Subject,
    matcher: Matcher,
    learning: bool,
    surroundings: Surroundings,
    inventory: Inventory | None,
    excused: frozenset[str],
    preset: frozenset[str],
    image: ExecImage | None,
    run: Run | None,
) -> Verdict:
    if isinstance(event, OpenEvent):
        verdict = judge_open(event, subject, matcher, learning, excused)
        return verdict if run is None else judge_script(event, run, subject, matcher, learning, excused, verdict)
    if isinstance(event, ExecEvent):
        return judge_exec(event, subject, matcher, learning, inventory, excused, preset)
    if isinstance(event, ConnectEvent):
        return judge_connect(event, subject, matcher, learning, surroundings, excused, image)
    if isinstance(event, LoadEvent):
        return judge_load(event, subject, matcher, learning, excused)
    if isinstance(event, LeftEvent):
        return judge_left(event, subject)
    return EXPECTED_ONCE


def decided(event: Event, same: bool | None) -> Event:
    """Return an exec or load whose file was compared: it is the image's, or it is not."""
    if not isinstance(event, ExecEvent | LoadEvent):
        return event
    return replace(event, file=replace(event.file, origin=Origin.IMAGE if same else Origin.WRITABLE))


def judge_compared(
    event: Event,
    subject: Subject,
    matcher: Matcher,
    learning: bool,
    same: bool | None,
    inventory: Inventory | None = None,
    excused: frozenset[str] = NO_CHECKS,
    preset: frozenset[str] = NO_CHECKS,
) -> Verdict:
    """Return the verdict on an exec or load that was undecided; what is learned is ``decided(event, same)``.

    ``same``: whether its content equals the image's file; None: could not be found out, then it is told with medium
    severity (size and modification time do equal the image's, so most likely only its mode or owner was changed).
    """
    verdict = judge(
        decided(event, same), subject, matcher, learning, inventory=inventory, excused=excused, preset=preset
    )
    if same is None and verdict.kind is not None:
        return verdict._replace(severity=Severity.MEDIUM, notes=(*verdict.notes, NOT_COMPARED))
    return verdict
