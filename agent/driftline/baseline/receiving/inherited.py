"""What newer images carried over from a version that is revoked.

In: a revocation that this node obeys. Out: what only that version expected, and a newer image's baseline has from it,
waits for review: it is told and matches nothing until a person approves it. Why: who revokes a version says that what
it expects may be an attacker's, and ``carry`` lets a newer image go on expecting that. Why not learned anew: that would
be silent where it matters. A signed baseline is changed by nobody; that is told. Runs in the child. Next: ``revoking``
answers with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

from driftline.baseline.beginning import JUDGES
from driftline.baseline.diff import EXPECTED
from driftline.baseline.format.canonical import MAX_FILE, load_head, version_of
from driftline.baseline.keeping.files import read_file
from driftline.baseline.keeping.marks import directories
from driftline.baseline.keeping.revoked import Revoked
from driftline.baseline.keeping.store import MSGPACK, BaselineStore
from driftline.baseline.keeping.writing import AGENT
from driftline.baseline.schema import CARRIED, Baseline, Entry, Standing, State
from driftline.nouns import Behaviour
from driftline.text import escape, plural

ACTION = "revoke"


def review_inherited(store: BaselineStore, revoked: Revoked) -> dict[str, str]:
    """Have what came from the version alone reviewed; return what is to be told, by name of baseline.

    Nothing can be said of a version whose revision is not kept here. Raises StateError.
    """
    bad = _only_in(store, revoked)
    heads = list(_heads(store)) if bad else []
    told: dict[str, str] = {}
    waiting, seen = [(revoked.name, bad)], {revoked.name}
    while waiting:
        name, suspects = waiting.pop()
        for head in heads:
            if head.name in seen or not _follows(head, name):
                continue
            seen.add(head.name)
            said, left = _review(store, head.name, revoked, suspects)
            if said:
                told[head.name] = said
            waiting.append((head.name, left))
    return told


def _only_in(store: BaselineStore, revoked: Revoked) -> Set[Behaviour]:
    """What the version expects, and what is in force in its place does not."""
    kept = (one for one in store.revisions(revoked.name) if one.version == revoked.version and not one.damage)
    if (revision := next(kept, None)) is None:
        return frozenset()
    now = store.load_one(revoked.name)
    counts = isinstance(now, Baseline) and now.state in JUDGES and version_of(now) != revoked.version
    good = _expected(now) if isinstance(now, Baseline) and counts else frozenset[Behaviour]()
    return _expected(store.read_revision(revoked.name, revision.number)) - good


def _expected(baseline: Baseline) -> Set[Behaviour]:
    return frozenset(one for one, entry in baseline.entries.items() if entry.standing in EXPECTED)


def _heads(store: BaselineStore) -> Iterator[Baseline]:
    """Every baseline that can be read, without its entries."""
    for directory in directories(store.root):
        try:
            yield load_head(read_file(store.root / directory / MSGPACK, MAX_FILE))[0]
        except (OSError, ValueError):
            continue  # who uses it says so


def _follows(head: Baseline, name: str) -> bool:
    """Whether it began with the baseline called ``name``."""
    before = head.predecessor + (f"+{head.workload}" if head.workload else "")
    return bool(head.predecessor) and before == name


def _review(store: BaselineStore, name: str, revoked: Revoked, suspects: Set[Behaviour]) -> tuple[str, Set[Behaviour]]:
    """Change one baseline; return what to tell, and what those that began with it may have from the version."""
    with store.locked(name):
        one = store.load_one(name)
        if not isinstance(one, Baseline):
            return "", frozenset()
        own = frozenset(each for each, entry in one.entries.items() if entry.source != CARRIED)
        left = suspects - own
        found = left & _expected(one)
        if not found or one.state is State.RETIRED:
            return "", left
        what = f"{plural(len(found), 'behaviour')} it carried over from {escape(revoked.name)}"
        if store.is_signed(one):
            return f"{what} kept, because it is signed: sign one without them", left
        changed = replace(one, entries={each: _waiting(one, each, found) for each in one.entries})
        count = plural(len(found), "behaviour")
        store.commit(changed, AGENT, ACTION, revoked.reason, f"{count} carried over: {revoked.version}")
    return f"{what} set to needs-review", left


def _waiting(baseline: Baseline, behaviour: Behaviour, found: Set[Behaviour]) -> Entry:
    entry = baseline.entries[behaviour]
    if behaviour not in found:
        return entry
    # Checks would let a running agent think that it is its own sighting that waits, see ``keeping.edit``
    checks = () if baseline.state is State.LEARNING else entry.checks
    return replace(entry, standing=Standing.NEEDS_REVIEW, checks=checks)
