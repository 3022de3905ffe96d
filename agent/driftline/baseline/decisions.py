"""What a person decides about a baseline: approve, reject, excuse, promote, retire, roll back, import.

In: a baseline and a decision. Out: a new baseline; the old one is not changed. Raises DecisionError for what makes no
sense. Pure: no clock, no disk. Next: ``store.commit`` makes a revision of the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from driftline.baseline.diff import EXPECTED
from driftline.baseline.schema import (
    IMPORTED,
    MAX_EXCUSES,
    REVIEWED,
    STARTER_KEY,
    Baseline,
    Entry,
    Excuse,
    Standing,
    State,
    ordered,
)
from driftline.baseline.wording import ID_DIGITS, id_of, shortened, text_of
from driftline.errors import PermanentError
from driftline.nouns import Behaviour, ExecBehaviour, LoadBehaviour
from driftline.text import plural

MIN_DIGITS = 4
"""Least digits of an id taken for one: fewer are more often a slip than meant."""
_HEX = frozenset("0123456789abcdef")


class DecisionError(PermanentError):
    """A decision that cannot be carried out."""

    exit_status = 2


# --- which behaviours -------------------------------------------------------------------------------------------------


def select(baseline: Baseline, texts: Iterable[str]) -> list[Behaviour]:
    """Return the behaviours named by ids (or their beginnings) or by their exact text, each once."""
    names = {text_of(behaviour): behaviour for behaviour in baseline.entries}
    ids = {id_of(behaviour): behaviour for behaviour in baseline.entries}
    found = {(names.get(text) or _by_id(ids, text)): None for text in texts}
    return list(found)


def _by_id(ids: dict[str, Behaviour], text: str) -> Behaviour:
    hint = "`driftline baseline show` prints each behaviour's id and text"
    digits = text.lower()
    if len(digits) < MIN_DIGITS or not _HEX.issuperset(digits):
        raise DecisionError(f"no behaviour reads {text!r}, and it is no id of {MIN_DIGITS} digits or more", hint)
    found = [(number, behaviour) for number, behaviour in ids.items() if number.startswith(digits)]
    if not found:
        raise DecisionError(f"no behaviour has the id {text}", hint)
    if len(found) > 1:
        several = "; ".join(
            f"{number[: max(ID_DIGITS, len(digits) + 2)]} {shortened(text_of(one))}" for number, one in found[:5]
        )
        raise DecisionError(f"{len(found)} behaviours have an id that begins with {text}", several)
    return found[0][1]


def needing_review(baseline: Baseline, check: str = "") -> list[Behaviour]:
    """Return the behaviours that need review, in the order of ``show``; with ``check``, those that failed it."""
    sections = ordered(
        behaviour
        for behaviour, entry in baseline.entries.items()
        if entry.standing is Standing.NEEDS_REVIEW and (not check or check in entry.checks)
    )
    return [behaviour for name in ("exec", "open", "load", "connect") for behaviour in sections[name]]


def any_content(behaviours: Iterable[Behaviour]) -> list[Behaviour]:
    """Return those that allow whatever lies at a path: code that is not the image's."""
    return [one for one in behaviours if isinstance(one, ExecBehaviour | LoadBehaviour) and one.origin]


# --- decisions --------------------------------------------------------------------------------------------------------


def with_standing(baseline: Baseline, behaviours: Iterable[Behaviour], standing: Standing) -> Baseline:
    """Return ``baseline`` with a person's standing of ``behaviours``; the checks they failed stay as evidence."""
    entries = dict(baseline.entries)
    for behaviour in behaviours:
        entries[behaviour] = replace(entries[behaviour], standing=standing)
    return replace(baseline, entries=entries)


def with_excuse(baseline: Baseline, excuse: Excuse) -> Baseline:
    """Return ``baseline`` with a check excused, in the place of an older excuse of it."""
    others = without_excuse(baseline, excuse.check).excuses
    if len(others) >= MAX_EXCUSES:
        raise DecisionError(f"{MAX_EXCUSES} checks are excused already", "take one back with --remove")
    return replace(baseline, excuses=tuple(sorted((*others, excuse), key=lambda one: one.check)))


def without_excuse(baseline: Baseline, check: str) -> Baseline:
    """Return ``baseline`` in which ``check`` fires."""
    return replace(baseline, excuses=tuple(one for one in baseline.excuses if one.check != check))


def promote(baseline: Baseline, force: bool) -> Baseline:
    """Return ``baseline`` as one that a person approved."""
    waiting = len(needing_review(baseline))
    if baseline.state is State.ACTIVE:
        raise DecisionError("it is active already")
    if waiting and not force:
        hint = "approve or reject them (`driftline baseline show --needs-review`); --force leaves them open"
        raise DecisionError(f"{plural(waiting, 'behaviour')} need review", hint)
    if baseline.state is State.LEARNING and not force:
        raise DecisionError("it is still being learned", "wait until it is a candidate; --force ends learning now")
    return replace(baseline, state=State.ACTIVE)


def retire(baseline: Baseline) -> Baseline:
    """Return ``baseline`` as one that is not used any more."""
    if baseline.state is State.RETIRED:
        raise DecisionError("it is retired already")
    return replace(baseline, state=State.RETIRED)


def roll_back(current: Baseline | None, old: Baseline) -> Baseline:
    """Return what ``old`` expects, as the successor of ``current`` (None: it cannot be read).

    It is active if either was approved by a person; a retired one comes back.
    """
    if current is None:
        return replace(old, state=_back_in_use(old.state))
    active = State.ACTIVE in {current.state, old.state}
    state = State.ACTIVE if active else _back_in_use(old.state)
    entries = _keep_rejected(current, old.entries)
    return replace(old, state=state, revision=current.revision, reviews=current.reviews, entries=entries)


def _back_in_use(state: State) -> State:
    return state if state is State.ACTIVE else State.CANDIDATE


def take_in(current: Baseline | None, given: Baseline) -> Baseline:
    """Return an imported baseline as the successor of ``current``; what ``current`` has not is marked as imported.

    What was rejected here stays rejected unless the file says otherwise. Keeps the number of the revision if nothing
    newer is here: signatures and other nodes count by it.
    """
    if given.key.startswith(STARTER_KEY):
        raise DecisionError("it is a starter baseline, of no image yet", "`driftline baseline begin NAME@DIGEST FILE`")
    known = current.entries if current else {}
    entries = {each: _imported(entry, known.get(each)) for each, entry in given.entries.items()}
    entries = _keep_rejected(current, entries) if current else entries
    state = State.CANDIDATE if given.state is State.LEARNING else given.state
    before = max(given.revision - 1, current.revision if current else 0)
    return replace(given, entries=entries, state=state, revision=before)


def _keep_rejected(current: Baseline, entries: dict[Behaviour, Entry]) -> dict[Behaviour, Entry]:
    """What was rejected stays so, unless ``entries`` expect it: that is a decision, too, and told as widening."""
    rejected = {each: entry for each, entry in current.entries.items() if entry.standing is Standing.REJECTED}
    expected = {each for each in rejected if each in entries and entries[each].standing in EXPECTED}
    return entries | {each: entry for each, entry in rejected.items() if each not in expected}


def _imported(entry: Entry, known: Entry | None) -> Entry:
    if known is not None:
        return replace(entry, source=known.source)
    return entry if entry.source == REVIEWED else replace(entry, source=IMPORTED)  # a person's pattern matches more
