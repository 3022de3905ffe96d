"""Judge: event and baseline → verdict. The hot path of user space.

In: a decoded event, its subject, the matcher of its image's baseline, whether that is still being learned. Out: a
``Verdict``. Pure and total: no clock, no I/O, never raises for any event. Why one module per event type: they share
nothing but the outcome. Next: ``evidence`` for what is worth telling, ``learning`` for what may be learned.
"""

from __future__ import annotations

from dataclasses import replace

from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.matching import Matcher
from driftline.nouns import ConnectEvent, Event, ExecEvent, LeftEvent, LoadEvent, OpenEvent, Origin, Severity, Subject
from driftline.verdict.judge_connect import judge_connect
from driftline.verdict.judge_exec import judge_exec
from driftline.verdict.judge_left import judge_left
from driftline.verdict.judge_load import judge_load
from driftline.verdict.judge_open import judge_open
from driftline.verdict.outcome import EXPECTED_ONCE, Verdict

NO_ADDRESSES: frozenset[str] = frozenset()
NOT_COMPARED = "not told from the image's file by size and time, and the contents could not be compared"


def judge(
    event: Event,
    subject: Subject,
    matcher: Matcher,
    learning: bool,
    own: frozenset[str] = NO_ADDRESSES,
    inventory: Inventory | None = None,
) -> Verdict:
    """Return the verdict on ``event``; ``own``: the container's own addresses, ``inventory``: what its image ships.

    ``Verdict.compare`` set means undecided: find out whether the file equals the image's (``copyup.compare``) and call
    ``judge_compared``.
    """
    if isinstance(event, OpenEvent):
        return judge_open(event, subject, matcher, learning)
    if isinstance(event, ExecEvent):
        return judge_exec(event, subject, matcher, learning, inventory)
    if isinstance(event, ConnectEvent):
        return judge_connect(event, subject, matcher, learning, own)
    if isinstance(event, LoadEvent):
        return judge_load(event, subject, matcher, learning)
    if isinstance(event, LeftEvent):
        return judge_left(event, subject)
    return EXPECTED_ONCE


def judge_compared(
    event: Event,
    subject: Subject,
    matcher: Matcher,
    learning: bool,
    same: bool | None,
    inventory: Inventory | None = None,
) -> Verdict:
    """Return the verdict on an exec or load that was undecided.

    ``same``: whether its content equals the image's file; None: could not be found out, then it is told with medium
    severity (size and modification time do equal the image's, so most likely only its mode or owner was changed).
    """
    if not isinstance(event, ExecEvent | LoadEvent):
        return judge(event, subject, matcher, learning, inventory=inventory)
    file = replace(event.file, origin=Origin.IMAGE if same else Origin.WRITABLE)
    verdict = judge(replace(event, file=file), subject, matcher, learning, inventory=inventory)
    if same is None and verdict.kind is not None:
        return verdict._replace(severity=Severity.MEDIUM, notes=(*verdict.notes, NOT_COMPARED))
    return verdict
