"""What a person changed in a baseline's text, applied to what the baseline is by now.

In: the baseline they began with, what they made of it, what is in force. Out: the new baseline. Raises DecisionError if
both changed the same, or if something was changed that no edit may change. Pure. Next: ``store.commit``.
"""

from __future__ import annotations

from dataclasses import replace

from driftline.baseline.decisions import DecisionError
from driftline.baseline.matching import Matcher
from driftline.baseline.schema import REVIEWED, Baseline, Entry, Excuse, Standing
from driftline.baseline.wording import shortened, text_of
from driftline.nouns import Behaviour

FIXED = (
    *("key", "workload", "image", "state", "revision", "parent", "predecessor", "partial", "losses"),
    *("elapsed_ns", "quiet_ns", "startups", "reviews", "packages"),
)
"""Fields that tell of the past, or that other commands change."""


def apply_edit(base: Baseline, edited: Baseline, current: Baseline) -> Baseline:
    """Return ``current`` with what ``edited`` has otherwise than ``base``.

    A behaviour taken out is rejected: what was merely forgotten would be learned again. It is dropped if the rest
    covers it, or if it was rejected before.
    """
    for name in FIXED:
        if getattr(base, name) != getattr(edited, name):
            raise DecisionError(f"{name} cannot be changed by an edit", _HINTS.get(name, "leave it as it was"))
    entries = dict(current.entries)
    for behaviour, entry in edited.entries.items():
        before = base.entries.get(behaviour)
        if before is None or before.standing is not entry.standing:
            _unchanged(behaviour, before, current)
            entries[behaviour] = _put(entry, current.entries.get(behaviour))
    taken_out = [behaviour for behaviour in base.entries if behaviour not in edited.entries]
    for behaviour in taken_out:
        _unchanged(behaviour, base.entries[behaviour], current)
        entries.pop(behaviour, None)
    _reject(taken_out, base, entries)
    return replace(current, entries=entries, excuses=_excuses(base, edited, current))


_HINTS = {"state": "`driftline baseline promote` and `retire` change it", "key": "import it as another file"}


def _unchanged(behaviour: Behaviour, before: Entry | None, current: Baseline) -> None:
    now = current.entries.get(behaviour)
    if (before and before.standing) is not (now and now.standing) and now is not None:
        raise DecisionError(
            f"{shortened(text_of(behaviour))} was changed meanwhile: it is {now.standing} now",
            "edit the baseline as it is now",
        )


def _put(entry: Entry, now: Entry | None) -> Entry:
    """An entry a person wrote, or gave another standing: the evidence stays."""
    return replace(entry, source=REVIEWED) if now is None else replace(now, standing=entry.standing)


def _reject(taken_out: list[Behaviour], base: Baseline, entries: dict[Behaviour, Entry]) -> None:
    covered = Matcher(entries)
    for behaviour in taken_out:
        entry = base.entries[behaviour]
        if entry.standing is not Standing.REJECTED and behaviour not in covered:
            entries[behaviour] = replace(entry, standing=Standing.REJECTED)


def _excuses(base: Baseline, edited: Baseline, current: Baseline) -> tuple[Excuse, ...]:
    if edited.excuses == base.excuses:
        return current.excuses
    if current.excuses != base.excuses:
        raise DecisionError("the excused checks were changed meanwhile", "edit the baseline as it is now")
    return edited.excuses
