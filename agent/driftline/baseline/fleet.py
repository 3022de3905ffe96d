"""What the nodes of a fleet learned of one image → one candidate for all of them.

In: the baselines of the nodes. Out: one baseline, in which a behaviour counts if any node saw it, and why it may be
incomplete. Pure; the order of the parts never matters. Why not just everything, folded: only a node knows what the
image ships, and keeps such names one by one; here names that are only read stay names unless files there are written,
so that no file becomes expected because many others of the image are. Next: a collector shows it, a person reviews it.

Where nodes disagree, the worst standing wins (``merging``): what was rejected on one node is rejected, and what waits
for review on one waits, even if somebody approved it on another: he looked at what that node showed, and what is made
here will be in force on all.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from operator import attrgetter
from typing import TypeGuard

from driftline.baseline.format.canonical import version_of
from driftline.baseline.patterns.folding import fold
from driftline.baseline.patterns.folding import merge as merge_behaviours
from driftline.baseline.patterns.foldpaths import covers, root_of
from driftline.baseline.patterns.pattern import plain
from driftline.baseline.schema import (
    MAX_BEHAVIOURS,
    MAX_CONTAINERS,
    MAX_PARTIAL,
    MAX_REVIEWS,
    MORE_CONTAINERS,
    Baseline,
    Entry,
    Standing,
    State,
    fields_of,
    section_of,
)
from driftline.nouns import Behaviour, ConnectBehaviour, OpenBehaviour

FULL = f"more than {MAX_BEHAVIOURS} behaviours"
MAX_UNFOLDED = 2 * MAX_BEHAVIOURS
"""Behaviours of all parts together, before they are folded: some 150 MiB. Beyond it they are folded on the way."""
MAX_NUMBER = 2**63 - 1
"""Largest number a baseline file can hold: 292 years of one container, which a fleet has in a summer."""

_FULL = re.compile(r"more than [0-9]+ behaviours")
_DROPPED_LAST = (Standing.REJECTED, Standing.NEEDS_REVIEW, Standing.ALLOWED, Standing.UNCONFIRMED)
Entries = dict[Behaviour, Entry]


def merge(parts: Iterable[Baseline]) -> Baseline:
    """Return what ``parts`` say together, as a candidate; two of them are in memory at a time.

    Raises ValueError for no part at all, and for parts of different images or workloads.
    """
    rest = iter(parts)
    whole = next(rest, None)
    if whole is None:
        raise ValueError("nothing to merge")
    named, versions = _named(whole.entries), {version_of(whole)}
    for part in rest:
        named |= _named(part.entries)
        versions.add(version_of(part))
        whole = _united(whole, part)
        if len(whole.entries) > MAX_UNFOLDED:
            whole = _cut(replace(whole, entries=_folded(whole.entries, named)))
    if len(versions) > 1:
        whole = _cut(replace(whole, entries=_folded(whole.entries, named)))
    return replace(whole, entries=_told_apart(whole.entries), state=State.CANDIDATE, parent="")


# --- the head ---------------------------------------------------------------------------------------------------------


def _united(one: Baseline, other: Baseline) -> Baseline:
    """Both, nothing folded. Associative and commutative field by field, as ``merging``."""
    if one.name != other.name:
        raise ValueError("baselines of different images or workloads")
    return Baseline(
        key=one.key,
        workload=one.workload,
        image=max(one, other, key=_last_seen).image,
        revision=max(one.revision, other.revision),
        predecessor=one.predecessor if one.predecessor == other.predecessor else "",
        partial=_partial(one.partial, other.partial),
        losses=min(one.losses + other.losses, MAX_NUMBER),
        elapsed_ns=min(one.elapsed_ns + other.elapsed_ns, MAX_NUMBER),
        quiet_ns=min(one.quiet_ns, other.quiet_ns),
        startups=min(one.startups + other.startups, MAX_NUMBER),
        entries=merge_behaviours(one.entries, other.entries),
        excuses=tuple(sorted({*one.excuses} & {*other.excuses}, key=fields_of)),
        reviews=tuple(sorted({*one.reviews, *other.reviews}, key=fields_of)[-MAX_REVIEWS:]),
        packages=max(one.packages, other.packages, key=lambda packages: (len(packages), packages)),
    )


def _last_seen(baseline: Baseline) -> tuple[int, str]:
    return max(map(attrgetter("last_ns"), baseline.entries.values()), default=0), baseline.image


def _partial(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """What no part saw; and what no part can make good: that another had more than it could hold."""
    full = {reason for reason in (*one, *other) if _FULL.fullmatch(reason)}
    return tuple(sorted(({*one} & {*other}) | full)[:MAX_PARTIAL])


def _cut(baseline: Baseline) -> Baseline:
    """As many behaviours as a file can hold, decisions first."""
    if len(baseline.entries) <= MAX_BEHAVIOURS:
        return baseline
    kept = sorted(baseline.entries.items(), key=_rank)[:MAX_BEHAVIOURS]
    return replace(baseline, entries=dict(kept), partial=_partial(baseline.partial, (*baseline.partial, FULL)))


def _rank(item: tuple[Behaviour, Entry]) -> tuple[object, ...]:
    behaviour, entry = item
    return _DROPPED_LAST.index(entry.standing), section_of(behaviour), fields_of(behaviour)


def _told_apart(entries: Entries) -> Entries:
    """``entries`` with as many containers as a baseline tells apart."""
    named = sorted(frozenset().union(*{entry.containers for entry in entries.values()}) - {MORE_CONTAINERS})
    if len(named) <= MAX_CONTAINERS:
        return entries
    kept = frozenset(named[:MAX_CONTAINERS])
    sets: dict[frozenset[str], frozenset[str]] = {}
    for given in {entry.containers for entry in entries.values()}:
        sets[given] = given if given <= kept else (given & kept) | {MORE_CONTAINERS}
    return {behaviour: replace(entry, containers=sets[entry.containers]) for behaviour, entry in entries.items()}


# --- folding ----------------------------------------------------------------------------------------------------------


def _named(entries: Entries) -> set[Behaviour]:
    """Writes a node kept one by one though they could be folded: it knew that the image ships them."""
    writes = [one for one in entries if isinstance(one, OpenBehaviour) and one.access == "write"]
    folded = fold({one: entries[one] for one in writes}, _owned(entries))
    return {one for one in writes if one not in folded and plain(one.path) is not None}


def _folded(entries: Entries, named: set[Behaviour]) -> Entries:
    """``entries`` folded, but for ``named`` and what is only read under one name."""
    owned, reads = _owned(entries), {one for one in entries if _is_read(one)}
    apart = reads | named
    written = fold({one: entry for one, entry in entries.items() if one not in apart}, owned)
    written |= {one: entries[one] for one in named}
    kept = {one: entries[one] for one in named | (reads - _covered(reads, written))}
    return kept | fold({one: entry for one, entry in entries.items() if one not in kept}, owned)


def _is_read(behaviour: Behaviour) -> TypeGuard[OpenBehaviour]:
    """Whether it is a read of one file, where such may fold."""
    if not isinstance(behaviour, OpenBehaviour) or behaviour.access != "read":
        return False
    return plain(behaviour.path) is not None and bool(root_of(behaviour.path))


def _covered(reads: Iterable[OpenBehaviour], written: Entries) -> set[OpenBehaviour]:
    """Those of ``reads`` whose files may be written, and so be read, anyway."""
    paths: set[str] = set()
    patterns: dict[str, list[str]] = defaultdict(list)
    for behaviour, entry in written.items():
        if isinstance(behaviour, OpenBehaviour) and behaviour.access == "write" and entry.standing is Standing.ALLOWED:
            paths.add(behaviour.path)
            if plain(behaviour.path) is None:
                patterns[root_of(behaviour.path)].append(behaviour.path)
    return {
        one
        for one in reads
        if one.path in paths or any(covers(pattern, one.path) for pattern in patterns[root_of(one.path)])
    }


def _owned(entries: Entries) -> Callable[[str], bool]:
    """Whether a package owns a path, as far as the entries tell; of a directory, anything below it."""
    paths: set[str] = set()
    for behaviour, entry in entries.items():
        path = _file_of(behaviour) if entry.package else None
        while path and path not in paths:
            paths.add(path)
            path = f"{path.rstrip('/').rpartition('/')[0]}/"
    return paths.__contains__


def _file_of(behaviour: Behaviour) -> str | None:
    if isinstance(behaviour, OpenBehaviour):
        return plain(behaviour.path)
    return None if isinstance(behaviour, ConnectBehaviour) else behaviour.path
