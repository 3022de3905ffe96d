"""Decisions made on disk, taken over by the agent that goes on learning the same baseline.

In: the baseline in the agent's memory, and what somebody made of its file meanwhile. Out: one baseline in which the
decisions win and nothing observed is lost. Pure. Next: ``store`` saves it.
"""

from __future__ import annotations

from dataclasses import replace

from driftline.baseline.matching import Matcher
from driftline.baseline.schema import (
    IMPORTED,
    MAX_CONTAINERS,
    MORE_CONTAINERS,
    REVIEWED,
    Baseline,
    Entry,
    Standing,
    State,
)
from driftline.nouns import Behaviour

_BY_HAND = frozenset({IMPORTED, REVIEWED})


def adopt(ours: Baseline, theirs: Baseline, since_ns: int = 0) -> Baseline:
    """Return ``ours`` with the decisions in ``theirs``: standing of entries, excuses, reviews, state, revision.

    If a decision ended learning, what ``theirs`` lacks was taken out by it, unless ``ours`` saw it after it was last
    written (``since_ns``, Unix ns, 0: never). Neither argument is changed.
    """
    learning = theirs.state is State.LEARNING
    more = {behaviour: entry for behaviour, entry in ours.entries.items() if behaviour not in theirs.entries}
    if learning:  # of what the agent learned only a rejection can be taken back
        kept = {each: entry for each, entry in more.items() if entry.standing is not Standing.REJECTED}
    else:
        kept = {each: entry for each, entry in more.items() if entry.first_ns >= since_ns}
    return replace(
        ours if learning else theirs,
        image=ours.image or theirs.image,
        state=ours.state if learning else theirs.state,
        revision=theirs.revision,
        parent=theirs.parent,
        predecessor=ours.predecessor or theirs.predecessor,
        packages=ours.packages or theirs.packages,
        entries=kept | _merged(ours, theirs, learning),
        excuses=theirs.excuses,
        reviews=theirs.reviews,
    )


def _merged(ours: Baseline, theirs: Baseline, learning: bool) -> dict[Behaviour, Entry]:
    """Their entries, with what was observed of them since; without those we folded into a pattern meanwhile."""
    expected = Matcher(ours.entries) if learning and not theirs.entries.keys() <= ours.entries.keys() else None
    merged = {}
    for behaviour, entry in theirs.entries.items():
        if (own := ours.entries.get(behaviour)) is not None:
            merged[behaviour] = _merge(own, entry)
        elif expected is None or is_decision(entry) or behaviour not in expected:
            merged[behaviour] = entry
    return merged


def is_decision(entry: Entry) -> bool:
    """Whether a person had a hand in ``entry``, or must have: it is no mere observation."""
    return entry.source in _BY_HAND or entry.standing is Standing.REJECTED or bool(entry.checks)


def _merge(ours: Entry, theirs: Entry) -> Entry:
    """``ours`` was made from ``theirs`` and grew since."""
    containers = ours.containers | theirs.containers
    if len(containers) > MAX_CONTAINERS + 1:
        containers = frozenset([*sorted(containers - {MORE_CONTAINERS})[:MAX_CONTAINERS], MORE_CONTAINERS])
    learned = _learned_more(ours, theirs)
    return replace(
        theirs,
        first_ns=min(ours.first_ns, theirs.first_ns),
        last_ns=max(ours.last_ns, theirs.last_ns),
        count=max(ours.count, theirs.count),
        containers=containers,
        standing=ours.standing if learned else theirs.standing,
        checks=ours.checks if learned else theirs.checks or ours.checks,
        package=ours.package or theirs.package,
    )


def _learned_more(ours: Entry, theirs: Entry) -> bool:
    """Whether the agent's standing is newer, because no person touched it."""
    if theirs.standing is Standing.UNCONFIRMED:
        return True  # seen again since, perhaps
    if theirs.standing is Standing.NEEDS_REVIEW:
        return bool(theirs.checks)  # failed another since, or was cleared by an honest sighting
    return theirs.standing is Standing.ALLOWED and not theirs.checks and ours.standing is Standing.NEEDS_REVIEW
