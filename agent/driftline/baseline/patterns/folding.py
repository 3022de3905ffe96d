"""Many entries → fewer: what a program does again and again under other names becomes a pattern.

In: the entries of a baseline, which paths packages own. Out: entries, some of them patterns with examples. Pure; the
order of entries never matters; what is folded stays folded; and the parts of a baseline may be folded before they are
merged: ``fold(merge(a, b)) == fold(merge(fold(a), fold(b)))``, if a and b agree on how each behaviour stands. Why so:
containers, nodes and restarts each see a part, and all must come to the same baseline. Next: ``learning`` folds when
its window ends; ``matching`` reads the patterns.

Only what clean learning allowed is folded. What a person wrote, imported, approved or rejected stays as it is, and so
does what waits for review: nobody shall have to guess what a decision was about. Execs and loads are never folded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from driftline.baseline.merging import merge_entries
from driftline.baseline.patterns import foldpaths, foldpeers
from driftline.baseline.patterns.foldpaths import fold_opens
from driftline.baseline.patterns.foldpeers import fold_connects
from driftline.baseline.schema import IMPORTED, REVIEWED, Entry, Standing
from driftline.nouns import Behaviour, ConnectBehaviour, OpenBehaviour

_WRITTEN = frozenset({REVIEWED, IMPORTED})


def fold(entries: Mapping[Behaviour, Entry], owned: Callable[[str], bool]) -> dict[Behaviour, Entry]:
    """Return ``entries`` folded; the entries given stay unchanged.

    ``owned(path)``: whether a package of the image owns the raw ``path``; of a directory with ``/`` at its end, whether
    one owns anything below it.
    """
    kept: dict[Behaviour, Entry] = {}
    free: dict[Behaviour, Entry] = {}
    for behaviour, entry in entries.items():
        (free if _is_free(behaviour, entry) else kept)[behaviour] = entry
    while True:
        folded = _fold(free, owned)
        decided = folded.keys() & kept.keys()
        if not decided:
            return {**kept, **folded}
        # Somebody decided about this very pattern: his word stays, and beside it what was seen, one by one
        for behaviour in [one for one in free if any(_covers(pattern, one) for pattern in decided)]:
            kept[behaviour] = free.pop(behaviour)


def _is_free(behaviour: Behaviour, entry: Entry) -> bool:
    decided = entry.standing is not Standing.ALLOWED or entry.checks or entry.source in _WRITTEN
    return not decided and isinstance(behaviour, OpenBehaviour | ConnectBehaviour)


def _fold(entries: Mapping[Behaviour, Entry], owned: Callable[[str], bool]) -> dict[Behaviour, Entry]:
    opens = {one: entry for one, entry in entries.items() if isinstance(one, OpenBehaviour)}
    connects = {one: entry for one, entry in entries.items() if isinstance(one, ConnectBehaviour)}
    folded: dict[Behaviour, Entry] = {}
    folded.update(fold_opens(opens, owned).items())
    folded.update(fold_connects(connects).items())
    return folded


def _covers(pattern: Behaviour, behaviour: Behaviour) -> bool:
    if isinstance(pattern, OpenBehaviour) and isinstance(behaviour, OpenBehaviour):
        return pattern.access == behaviour.access and foldpaths.covers(pattern.path, behaviour.path)
    if isinstance(pattern, ConnectBehaviour) and isinstance(behaviour, ConnectBehaviour):
        return foldpeers.covers(pattern, behaviour)
    return False


def merge(ours: Mapping[Behaviour, Entry], theirs: Mapping[Behaviour, Entry]) -> dict[Behaviour, Entry]:
    """Return what two parts of one baseline say together; see ``merging.merge_entries``."""
    merged = dict(ours)
    for behaviour, entry in theirs.items():
        mine = merged.get(behaviour)
        merged[behaviour] = entry if mine is None else merge_entries(mine, entry)
    return merged
