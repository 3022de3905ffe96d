"""Which baseline is in force where signatures are required.

In: what a baseline's file and the kept one are worth, what is remembered, the time. Out: a ``Choice``, and what is to
be told. Pure. Why so: every refusal leaves the last good one in force, for an agent without a baseline sees less than
one with an old one; unless its keys are trusted no more, for then it may be an attacker's, and the one before it is
what the keys that are left vouch for. Next: ``guard`` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from driftline.baseline.signing.judged import Answer, Judged, Worth
from driftline.baseline.signing.memory import Seen
from driftline.nouns import Severity

NS = 1_000_000_000
STAYS = "stays in force"
BACK = "is in force again, the newest before it that enough trusted keys signed"
UNSIGNED = "nobody signed it; what this node learned itself is in force until somebody does"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to judge by. ``sha256``: of the file, "" for any; ``kept``: the last good one, not the one in its directory.

    ``held``: what is in its directory was refused, and nothing of ours is written over it. ``nothing``: there is no
    good one, so the image is learned. ``void``: what was in force counts no more, because its keys were taken away.
    """

    signed: bool = False
    kept: bool = False
    held: bool = False
    nothing: bool = False
    void: bool = False
    sha256: str = ""
    expires_ns: int = 0


class Ruling(NamedTuple):
    """A choice; why something was refused, "" if nothing was; what to remember as the last good one."""

    choice: Choice
    why: str = ""
    severity: Severity = Severity.HIGH
    remember: Seen | None = None
    forget: bool = False


def rule(answer: Answer, seen: Seen | None, wall_ns: int) -> Ruling:
    """Return what is in force. ``wall_ns``: the latest Unix time seen."""
    if seen is not None and _is_void(answer, seen):
        return _without(answer, seen, wall_ns)
    now, bound = answer.now, seen if seen and seen.signed else None
    if now.worth is Worth.GOOD:
        return _signed(answer, seen, wall_ns)
    if bound is not None and not bound.retired:
        return _refuse(now.why, answer, seen)
    if now.worth is Worth.ABSENT:
        return Ruling(Choice(nothing=True), forget=seen is not None and bound is None)
    if now.worth is Worth.LEARNING:
        return Ruling(Choice())
    if now.worth is Worth.UNSIGNED and now.own:
        remember = None if bound else _seen(answer.name, now, signed=False)
        return Ruling(Choice(sha256=now.sha256), "" if now.retired else UNSIGNED, Severity.LOW, remember)
    return _refuse(now.why, answer, seen)


def _is_void(answer: Answer, seen: Seen) -> bool:
    """Whether the keys that signed what was in force are too few by now: somebody took one away."""
    return seen.signed and answer.kept.sha256 == seen.sha256 and answer.kept.untrusted


def _without(answer: Answer, seen: Seen, wall_ns: int) -> Ruling:
    """What is in force once what was so counts no more, and its number neither: the newest revision before it that is
    good, below which nothing counts from now on. Without one, the image is learned anew."""
    if answer.earlier.worth is Worth.GOOD:
        floor = _seen(answer.name, answer.earlier, signed=True)
        found = rule(replace(answer, kept=answer.earlier), floor, wall_ns)
        why = f"{found.why.removesuffix(STAYS)}{BACK}" if found.choice.kept else found.why
        return found._replace(why=why, remember=found.remember or floor)
    good = answer.now.worth is Worth.GOOD
    found = _signed(answer, None, wall_ns) if good else _refuse(answer.now.why, answer, seen)
    return found._replace(choice=replace(found.choice, void=found.choice.nothing))


def _signed(answer: Answer, seen: Seen | None, wall_ns: int) -> Ruling:
    now = answer.now
    same = seen is not None and seen.signed and seen.sha256 == now.sha256
    choice = Choice(signed=True, sha256=now.sha256, expires_ns=now.expires_ns)
    if 0 < now.expires_ns <= wall_ns:
        why = f"its signature expired on {_day(now.expires_ns)}"
        return Ruling(choice, f"{why}; it stays in force") if same else _refuse(why, answer, seen)
    if seen is not None and seen.signed and not same:
        if now.revision < seen.revision:
            why = f"it is revision {now.revision}, and revision {seen.revision} was in force here"
            return _refuse(why, answer, seen)
        if now.revision == seen.revision:
            return _refuse(f"another revision {now.revision} was in force here", answer, seen)
    return Ruling(choice, remember=_seen(answer.name, now, signed=True))


def _refuse(why: str, answer: Answer, seen: Seen | None) -> Ruling:
    """Fall back on what was kept. It counts though it expired since: nothing better is known."""
    kept = answer.kept
    if seen is None or kept.sha256 != seen.sha256 or not _is_worth(kept, seen):
        return Ruling(Choice(held=True, nothing=True), f"{why}; no good one is known, so the image is learned anew")
    choice = Choice(seen.signed, kept=True, held=True, sha256=seen.sha256, expires_ns=seen.expires_ns)
    return Ruling(choice, f"{why}; revision {seen.revision} {STAYS}")


def _is_worth(kept: Judged, seen: Seen) -> bool:
    return kept.worth is Worth.GOOD if seen.signed else kept.worth in {Worth.GOOD, Worth.UNSIGNED}


def _seen(name: str, now: Judged, signed: bool) -> Seen:
    return Seen(
        name=name,
        signed=signed,
        revision=now.revision,
        sha256=now.sha256,
        retired=now.retired,
        expires_ns=now.expires_ns,
    )


def _day(wall_ns: int) -> str:
    try:
        return f"{datetime.fromtimestamp(wall_ns // NS, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return "an unknown day"
