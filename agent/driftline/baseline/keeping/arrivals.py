"""How signed baselines came into force on this node: ``arrivals.json`` in a baseline's directory.

In: which revision, and who put it in force, when and why. Out: the same. Why apart from the baseline: nothing can be
added to what is signed, so its own decisions tell how it was made elsewhere, and not how it came here. Next: ``store``
writes it; the agent's log and ``driftline baseline history`` read it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from driftline.baseline.keeping.files import read_file, replace_file
from driftline.baseline.schema import Review

FILE = "arrivals.json"
MAX_ARRIVALS = 200
"""Arrivals kept of one baseline, as many as revisions; the oldest go first."""
MAX_FILE = 32 * 1024 * 1024
"""Bytes: the most there can be, with the longest texts (``store.MAX_SAID``)."""


class Arrival(NamedTuple):
    """A revision that was put in force as it is, and by whom."""

    revision: int
    version: str
    review: Review


def recall(directory: Path) -> list[Arrival]:
    """Return what is known, oldest first; nothing of a file that is damaged. Raises OSError."""
    try:
        rows = json.loads(read_file(directory / FILE, MAX_FILE))
        return [Arrival(int(row["revision"]), str(row["version"]), _review(row["review"])) for row in rows]
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
        return []


def _review(values: dict[str, object]) -> Review:
    texts = (str(values[name]) for name in ("author", "action", "reason", "what"))
    return Review(int(str(values["wall_ns"])), *texts)


def add(directory: Path, arrival: Arrival) -> None:
    """Note an arrival. Raises OSError."""
    known = [*recall(directory), arrival][-MAX_ARRIVALS:]
    replace_file(
        directory / FILE, json.dumps([one._asdict() | {"review": asdict(one.review)} for one in known]).encode()
    )


def last_of(directory: Path, revision: int, version: str) -> Review | None:
    """Return how a revision came into force last, None if it was made here. Raises OSError."""
    found = (one.review for one in reversed(recall(directory)) if (one.revision, one.version) == (revision, version))
    return next(found, None)
