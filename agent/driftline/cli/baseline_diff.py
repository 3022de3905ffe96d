"""``driftline baseline diff``: what one baseline expects and another does not.

In: two baselines, each an image, a revision of one (``IMAGE@3``) or a file. Out: lines or JSON; exit status 1 if they
differ, for scripts. Next: ``baseline.diff``.
"""

from __future__ import annotations

import json as jsonlib
import os
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.diff import compare
from driftline.baseline.keeping.history import Revision
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline
from driftline.cli.baseline import Json, find, label, numbered, open_store
from driftline.cli.baseline_difftext import print_diff, to_json
from driftline.cli.baselinefile import read_baseline
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.cli.stopping import until_nobody_reads
from driftline.errors import StateError
from driftline.text import escape

DIFFERENT = 1  # exit status


def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A file, an image, or a revision: IMAGE@3.")],
    after: Annotated[
        str | None, typer.Argument(metavar="AFTER", help="Likewise. Default: what is in force of the same image.")
    ] = None,
    images: Annotated[bool, typer.Option("--images", help="Of two images: also their packages.")] = False,
    state_dir: StateDir = DEFAULT_STATE,
    json: Json = False,
) -> None:
    """Show the behaviours added, removed and changed between two baselines. Exit status 1 if there are any.

    With an image alone: what its latest revision changed.
    """
    store = open_store(state_dir)
    old, new = _both(store, before, after)
    found = compare(old, new, packages=images)
    with until_nobody_reads():
        if json:
            print(jsonlib.dumps({"before": _name(old), "after": _name(new), **to_json(found)}))
        else:
            typer.echo(f"before: {_line(old)}\nafter:  {_line(new)}")
            print_diff(found)
    raise typer.Exit(0 if found.same else DIFFERENT)


def _both(store: BaselineStore, before: str, after: str | None) -> tuple[Baseline, Baseline]:
    if after is not None:
        return read_side(store, before), read_side(store, after)
    image, number = split_revision(before)
    if os.path.isfile(before):
        given = read_baseline(Path(before))
        return find(store, given.name), given
    current = find(store, image)
    if number is None:
        number = _before(store.revisions(current.name), current.revision)
        if not number:
            raise StateError(f"{label(current)} has no revision before the one in force", "name two to compare")
    return store.read_revision(current.name, number), current


def _before(revisions: list[Revision], number: int) -> int:
    """The revision in force before ``number``, 0 if none is known."""
    return max((one.number for one in revisions if one.number < number and not one.interrupted), default=0)


def read_side(store: BaselineStore, text: str) -> Baseline:
    """Return the baseline in a file, in force, or of a revision. Raises StateError."""
    if os.path.isfile(text):
        return read_baseline(Path(text))
    image, number = split_revision(text)
    baseline = find(store, image)
    return baseline if number is None else store.read_revision(baseline.name, number)


def split_revision(text: str) -> tuple[str, int | None]:
    """``nginx:1@3`` → ``nginx:1``, 3. What follows an @ in ``nginx@sha256:…`` is no number, and stays."""
    image, at, number = text.rpartition("@")
    return (image, int(number)) if at and number.isascii() and number.isdigit() else (text, None)


def _line(baseline: Baseline) -> str:
    partial = f", partial: {', '.join(map(escape, baseline.reasons))}" if baseline.reasons else ""
    return f"{label(baseline)}: {numbered(baseline)}{partial}"


def _name(baseline: Baseline) -> dict[str, object]:
    return {"name": escape(baseline.name), "image": escape(baseline.image), "revision": baseline.revision}
