"""The spool as a former agent left it.

In: the spool's directory, what was acknowledged. Out: the segments with their figures, and what was damaged. Why every
file is read: the cap needs to know how much of which severity there is, and damage is told at once, not when somebody
looks. Next: ``spool``, in its own thread: a full spool takes a second or two.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from driftline.report import cursor
from driftline.report.cursor import Cursor
from driftline.report.ranges import Ranges
from driftline.report.segment import Segment, segments_in
from driftline.text import escape

_log = logging.getLogger(__name__)


class Recovered(NamedTuple):
    """What was found: segments in order, entries not acknowledged, and damage by kind."""

    segments: list[Segment]
    unsent: int
    torn: int  # segments that ended in the middle of an entry
    corrupt: int  # stretches of damage between entries
    unreadable: int  # files that could not be read


def load_cursor(directory: Path) -> Cursor | None:
    """Return the cursor; a damaged one is told and counts as none: entries are sent again."""
    try:
        return cursor.load(directory)
    except (ValueError, OSError) as error:
        name = escape(str(directory / cursor.NAME))
        _log.warning("the spool's cursor %s cannot be used (%s): entries are sent again", name, error)
        return None


def recover(directory: Path, acknowledged: Ranges) -> Recovered:
    """Read every segment. Raises OSError if the directory cannot be read; a file that cannot is counted."""
    for leftover in directory.glob("*.new"):
        leftover.unlink(missing_ok=True)
    kept: list[Segment] = []
    unsent = torn = corrupt = unreadable = 0
    for segment in segments_in(directory):
        try:
            found = segment.read()
        except OSError as error:
            _log.warning("the spool's file %s cannot be read: %s", escape(str(segment.path)), error.strerror)
            unreadable += 1
            continue
        torn += found.torn > 0
        corrupt += found.damaged
        fresh = segment.measure(found, kept[-1].last if kept else 0)
        unsent += sum(entry.sequence not in acknowledged for entry in fresh)
        _keep(segment, kept, lambda one: acknowledged.covers(one.first, one.last))
    return Recovered(kept, unsent, torn, corrupt, unreadable)


def _keep(segment: Segment, kept: list[Segment], delivered: Callable[[Segment], bool]) -> None:
    """Add ``segment`` to ``kept``, or remove its file if nothing in it is wanted."""
    if segment.entries and not delivered(segment):
        kept.append(segment)
    else:
        segment.path.unlink(missing_ok=True)
