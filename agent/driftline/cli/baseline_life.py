"""``driftline baseline promote``, ``retire`` and ``rollback``: what a person decides about a whole baseline.

In: an image or a file, a reason. Out: a new revision, which the agent takes over within two seconds. Next:
``baseline.decisions``, ``baseline.keeping.store``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline import decisions
from driftline.baseline.decisions import DecisionError, needing_review
from driftline.baseline.diff import Diff, compare
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline
from driftline.cli.authors import author_or_default
from driftline.cli.baseline import (
    Author,
    Image,
    Reason,
    checked_reason,
    find,
    label,
    load,
    numbered,
    open_store,
)
from driftline.cli.baseline_deciding import ImageOrFile, Output, deciding
from driftline.cli.baseline_difftext import print_diff
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.errors import StateError
from driftline.text import escape, plural

Widen = Annotated[bool, typer.Option("--widen", help="Also where it expects more than what is in force now.")]


def promote(
    image: ImageOrFile,
    reason: Reason,
    force: Annotated[
        bool, typer.Option("--force", help="Although it is being learned, or behaviours need review.")
    ] = False,
    author: Author = "",
    output: Output = None,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Promote a baseline: a person has approved it. From now on it only changes by new revisions."""
    change = partial(decisions.promote, force=force)
    new = _decide("promote", change, image, reason, author, output, state_dir)
    if new.reasons:
        print(f"it stays partial: {', '.join(map(escape, new.reasons))}")
    if waiting := len(needing_review(new)):
        print(f"{plural(waiting, 'behaviour')} still need review, and match nothing until then")


def retire(
    image: ImageOrFile,
    reason: Reason,
    author: Author = "",
    output: Output = None,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Retire a baseline: nothing is judged by it any more. `rollback` brings it back."""
    _decide("retire", decisions.retire, image, reason, author, output, state_dir)


def _decide(
    action: str,
    change: Callable[[Baseline], Baseline],
    image: str,
    reason: str,
    author: str,
    output: Path | None,
    state_dir: Path,
) -> Baseline:
    reason = checked_reason(reason)
    with deciding(image, output, state_dir) as (baseline, commit, where):
        new = commit(change(baseline), author_or_default(author), action, reason, "")
    print(f"{label(new)}: {numbered(new)}{where}")
    return new


def rollback(
    image: Image,
    revision: Annotated[int, typer.Argument(metavar="REVISION", min=1, help="Its number, as `history` prints it.")],
    reason: Reason,
    widen: Widen = False,
    author: Author = "",
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Put what an older revision expects in force again, as a new revision."""
    reason, store = checked_reason(reason), open_store(state_dir)
    name = _name(store, image)
    with store.locked(name):
        current = _current(store, name)
        new = decisions.roll_back(current, store.read_revision(name, revision))
        if current is not None:
            refuse_to_widen(current, new, widen)
        new = store.commit(new, author_or_default(author), "rollback", reason, f"revision {revision}")
    print(f"{label(new)}: {numbered(new)}, as revision {revision} was")


def _name(store: BaselineStore, image: str) -> str:
    """The name of a baseline, also of one that is damaged: then it must be typed in full."""
    return image if os.path.isdir(store.directory(image)) else find(store, image).name


def _current(store: BaselineStore, name: str) -> Baseline | None:
    """What is in force; None if it cannot be read, which a rollback mends."""
    try:
        return load(store, name)
    except StateError:
        return None


def refuse_to_widen(current: Baseline, new: Baseline, widen: bool) -> Diff:
    """Print and return what differs. Raises DecisionError if more is expected than before and nobody said so."""
    diff = compare(current, new)
    print_diff(diff)
    if diff.widens and not widen:
        raise DecisionError("it expects more than what is in force now (marked with +, or allowed now)", "--widen")
    return diff
