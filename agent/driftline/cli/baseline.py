"""What the commands of ``driftline baseline`` share: finding a baseline, who decides, what is printed of it.

In: what a person typed for an image. Out: the one baseline meant, or an error that lists the candidates. Next: the
modules ``baseline_…``, one for each group of commands.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.carry import repository
from driftline.baseline.decisions import DecisionError
from driftline.baseline.format.canonical import version_of
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, State
from driftline.errors import StateError
from driftline.text import escape

NS = 1_000_000_000
MIN_DIGITS = 4
"""Least digits of a digest taken for its beginning."""
SHORT = 12
"""Digits shown of a digest, as engines show them."""
MAX_REASON = 1_000
"""Characters of a reason: some sentences."""
LISTED = 10
"""Candidates named where one was meant."""

_SPANS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))

IMAGE_HELP = "Image, digest or its beginning, or NAME+NAMESPACE/WORKLOAD for what a workload adds."
Image = Annotated[str, typer.Argument(metavar="IMAGE", help=IMAGE_HELP)]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the baseline's history.")]
Author = Annotated[str, typer.Option(metavar="NAME", help="Who decides. Default: who logged in here, or used sudo.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]


# --- finding one ------------------------------------------------------------------------------------------------------


def open_store(state_dir: Path) -> BaselineStore:
    """The baselines of the agent on this node."""
    return BaselineStore(str(state_dir), by_hand=True)


def find(store: BaselineStore, text: str) -> Baseline:
    """Return the baseline ``text`` means. Raises StateError if none, or more than one."""
    if os.path.isdir(store.directory(text)):
        return load(store, text)
    baselines, damaged = read_all(store)
    found = matching(baselines, text)
    if not baselines and damaged:
        raise damaged[0]
    if not found:
        raise _none(store, baselines, text, damaged)
    in_use = [one for one in found if one.state is not State.RETIRED] or found
    if len(in_use) > 1:
        raise StateError(f"{escape(text)} can mean {len(in_use)} baselines", f"say which: {_candidates(in_use)}")
    return load(store, in_use[0].name)


def load(store: BaselineStore, name: str) -> Baseline:
    """Return the baseline filed under ``name``. Raises StateError if there is none, or it cannot be read."""
    found = store.load_one(name)
    if isinstance(found, StateError):
        raise found
    if found is None:
        raise StateError(f"there is no baseline of {escape(name)} in {store.root}")
    return found


@contextmanager
def changing(store: BaselineStore, text: str) -> Iterator[Baseline]:
    """The baseline ``text`` means, which nobody else can change meanwhile."""
    name = find(store, text).name
    with store.locked(name):
        yield load(store, name)


def read_all(store: BaselineStore) -> tuple[list[Baseline], list[StateError]]:
    """Every baseline kept, and an error for each that cannot be read."""
    found = list(store.load())
    return [one for one in found if isinstance(one, Baseline)], [one for one in found if isinstance(one, StateError)]


def matching(baselines: Iterable[Baseline], text: str) -> list[Baseline]:
    """Return those that fit ``text`` best: by name, by image reference, by digest, by a part of the reference."""
    image, _, workload = text.partition("+")
    all_of_them = list(baselines)
    if named := [one for one in all_of_them if one.name == text]:
        return named
    own = [one for one in all_of_them if one.workload == workload]
    for fits in (_is_reference, _begins_digest, _ends_reference, _ends_repository):
        if found := [one for one in own if fits(one, image)]:
            return found
    return []


def _is_reference(baseline: Baseline, image: str) -> bool:
    return bool(image) and image in {baseline.image, baseline.key}


def _begins_digest(baseline: Baseline, image: str) -> bool:
    digits = baseline.key.partition(":")[2]
    short = image.partition(":")[2] if image.startswith(f"{baseline.key.partition(':')[0]}:") else image
    return len(short) >= MIN_DIGITS and digits.startswith(short)


def _ends_reference(baseline: Baseline, image: str) -> bool:
    return bool(image) and f"/{baseline.image}".endswith(f"/{image}")


def _ends_repository(baseline: Baseline, image: str) -> bool:
    return bool(image) and f"/{repository(baseline.image)}".endswith(f"/{image}")


def _none(store: BaselineStore, baselines: list[Baseline], text: str, damaged: list[StateError]) -> StateError:
    image = text.partition("+")[0]
    overlays = [one for one in baselines if one.workload and matching([one], f"{image}+{one.workload}")]
    hint = f"there are: {_candidates(overlays or baselines)}" if baselines else "the agent has learned none yet"
    if damaged:
        hint += f"; {len(damaged)} cannot be read (`driftline baseline list`)"
    return StateError(f"no baseline fits {escape(text)} in {store.root}", hint)


def _candidates(baselines: list[Baseline]) -> str:
    names = [f"{short_name(one)} ({label(one)}, {one.state})" for one in baselines[:LISTED]]
    more = [f"and {len(baselines) - LISTED} more"] if len(baselines) > LISTED else []
    return ", ".join([*names, *more])


# --- who decides ------------------------------------------------------------------------------------------------------


def checked_reason(reason: str) -> str:
    """Return ``reason`` if it says something. Raises DecisionError."""
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise DecisionError(f"a reason has 1 to {MAX_REASON} characters, not {len(reason)}", "--reason 'what you know'")
    return reason


# --- what is printed --------------------------------------------------------------------------------------------------


def is_complete(baseline: Baseline) -> bool:
    """Whether learning ended and nothing is known to be missing."""
    return not baseline.reasons and baseline.state is not State.LEARNING


def label(baseline: Baseline) -> str:
    """What to call it in a sentence: image and workload, escaped."""
    name = baseline.image or baseline.key
    return escape(f"{name} for {baseline.workload}" if baseline.workload else name)


def short_name(baseline: Baseline) -> str:
    """What to type for it: the beginning of its digest, and its workload."""
    algorithm, _, digits = baseline.key.partition(":")
    short = f"{algorithm}:{digits[:SHORT]}" if algorithm == "sha256" else baseline.key
    return escape(f"{short}+{baseline.workload}" if baseline.workload else short)


def short_digest(digest: str) -> str:
    """The first digits of a digest."""
    return escape(digest.partition(":")[2][:SHORT] or digest)


def numbered(baseline: Baseline) -> str:
    """Revision and version, as each change ends: ``revision 3 (sha256:1a2b…)``."""
    version = f"sha256:{short_digest(version_of(baseline))}"
    if baseline.state is State.LEARNING:
        return f"still being learned, no revision yet ({version})"
    return f"{baseline.state}, revision {baseline.revision} ({version})"


def day(wall_ns: int) -> str:
    """A Unix time in ns as ``2026-11-23 15:31``, UTC."""
    try:
        return f"{datetime.fromtimestamp(wall_ns // NS, UTC):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "????-??-?? ??:??"


def span(seconds: int) -> str:
    """A time in its largest unit: ``3d``, ``40s``; "-" for none."""
    return next((f"{seconds // length}{unit}" for length, unit in _SPANS if seconds >= length), "-")
