"""What a container is judged by when the first of its image (or of its workload) shows itself.

In: the store, a subject. Out: the baseline kept for it; else one carried over from the image's predecessor; else an
empty one. Why apart from ``shelf``: it reads the disk, the shelf holds what is in use. Next: ``shelf``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from driftline.baseline.carry import carry, repository
from driftline.baseline.keeping.marks import Mark, marks
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, Standing, State
from driftline.errors import StateError
from driftline.nouns import CONTAINER_KEY

MAX_TRIED = 16
"""Predecessors tried, newest first: one that is still learned, retired or damaged is none."""
JUDGES = frozenset({State.CANDIDATE, State.ACTIVE})
"""States in which a baseline is judged by and not learned."""

Load = Callable[[str], Baseline | StateError | None]


class Beginning(NamedTuple):
    """A baseline to begin with, and what went wrong on the way."""

    baseline: Baseline
    errors: tuple[StateError, ...] = ()


def begin(store: BaselineStore | None, key: str, workload: str, image: str, load: Load | None = None) -> Beginning:
    """Return the baseline of an image, or (``workload`` set) what one workload adds to it.

    ``load``: how a kept one is read; by default as the store has it.
    """
    empty = Baseline(key, workload, image)
    if store is None:
        return Beginning(empty)
    load = load or store.load_one
    kept = _load(load, empty.name)
    if isinstance(kept, Baseline):
        return Beginning(anew(kept) if kept.state is State.RETIRED else kept)
    errors = [kept] if isinstance(kept, StateError) else []
    for name in predecessors(store.root, key, workload, image):
        before = _load(load, name)
        if isinstance(before, StateError):
            errors.append(before)
        elif before is not None and before.state in JUDGES:
            return Beginning(carry(before, key, image), tuple(errors))
    return Beginning(empty, tuple(errors))


def anew(retired: Baseline) -> Baseline:
    """Return what an image starts with whose baseline was retired: nothing but what a person refused or excused."""
    refused = {one: entry for one, entry in retired.entries.items() if entry.standing is Standing.REJECTED}
    empty = Baseline(retired.key, retired.workload, retired.image, entries=refused, excuses=retired.excuses)
    return replace(empty, revision=retired.revision, parent=retired.parent, reviews=retired.reviews)


def _load(load: Load, name: str) -> Baseline | StateError | None:
    try:
        return load(name)
    except StateError as error:
        return error


def predecessors(root: Path, key: str, workload: str, image: str) -> list[str]:
    """Return the names of baselines of other versions of an image below ``root``, the one that ran last first."""
    wanted = repository(image)
    if not wanted or key.startswith(CONTAINER_KEY):
        return []
    suffix = f"+{workload}" if workload else ""
    known = [one for one in marks(root) if _fits(one, key, suffix, wanted)]
    known.sort(key=lambda one: (one.used, one.name), reverse=True)
    return [one.name for one in known[:MAX_TRIED]]


def _fits(mark: Mark, key: str, suffix: str, wanted: str) -> bool:
    """Whether it is of another version of the image, and of the same workload."""
    before, plus, workload = mark.name.partition("+")
    return before != key and plus + workload == suffix and repository(mark.image) == wanted
