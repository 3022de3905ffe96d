"""A look at a spool from outside, also while an agent writes to it.

In: the spool's directory. Out: what waits in it, and what is damaged. Changes nothing and takes no lock, so files may
vanish and grow meanwhile. Why apart from ``recovery``: that one repairs, counts once, and belongs to the one agent.
Next: ``cli.spool``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError

from driftline.errors import StateError
from driftline.report import cursor
from driftline.report.cursor import Cursor
from driftline.report.frame import SEVERITIES, Entry, Scan
from driftline.report.ranges import Ranges
from driftline.report.segment import Segment, segments_in
from driftline.text import escape
from driftline.wire.convert import SEVERITY_TO_WIRE
from driftline.wire.gen.driftline.v1 import deviation_pb2

PATIENCE_SECONDS = 0.5
"""How long an entry that is being written may look torn."""

PROBLEMS = 100
"""Sentences about damage that are kept; a spool full of nonsense is described well enough by them."""

_WIRE_SEVERITY = list(SEVERITY_TO_WIRE.values())


@dataclass(slots=True)
class Inspection:
    """What was found. Times are Unix nanoseconds, 0 if there is none."""

    segments: int = 0
    size: int = 0  # bytes of all segments
    acknowledged: int = 0  # every entry up to this sequence is
    islands: int = 0  # acknowledged intervals beyond
    last: int = 0  # sequence of the newest entry
    waiting: list[int] = field(default_factory=lambda: [0] * SEVERITIES)  # entries not acknowledged, by rank
    oldest_wall_ns: int = 0  # when the oldest waiting deviation happened
    newest_wall_ns: int = 0
    problems: list[str] = field(default_factory=list)  # at most PROBLEMS
    damaged: int = 0  # how many problems there were

    def complain(self, sentence: str) -> None:
        """Note one problem."""
        self.damaged += 1
        if len(self.problems) < PROBLEMS:
            self.problems.append(sentence)


def inspect(directory: Path) -> Inspection:
    """Read everything in ``directory``. Raises StateError if there is no spool, or it may not be read."""
    found = Inspection()
    try:
        segments = segments_in(directory)
        last = _cursor(directory, found)
    except OSError as error:
        raise StateError(
            f"there is no spool to read in {escape(str(directory))}: {error.strerror}",
            "name the agent's --state-dir, and be its user (root)",
        ) from error
    acknowledged = Ranges([(0, 0), *(last.acknowledged if last else [])])
    found.acknowledged = acknowledged.pairs[0][1]
    found.islands = len(acknowledged) - 1
    for segment in segments:
        _look_at(segment, found, acknowledged)
    return found


def _cursor(directory: Path, found: Inspection) -> Cursor | None:
    try:
        return cursor.load(directory)
    except ValueError as error:
        found.complain(f"{cursor.NAME}: {error}; everything in the spool would be sent again")
        return None


def _look_at(segment: Segment, found: Inspection, acknowledged: Ranges) -> None:
    name = segment.path.name
    try:
        scan = _read(segment)
    except FileNotFoundError:  # delivered, and removed by the agent a moment ago
        return
    except OSError as error:
        found.complain(f"{name}: cannot be read: {error.strerror}")
        return
    found.segments += 1
    found.size += scan.end + scan.torn
    if scan.damaged:
        found.complain(f"{name}: damaged in {scan.damaged} places between good entries")
    if scan.torn:
        found.complain(f"{name}: the last {scan.torn} bytes are no whole entry")
    for entry in scan.entries:
        if entry.sequence > found.last:  # a lower one is here twice: a crash while files were joined
            _count(entry, found, acknowledged, name)


def _read(segment: Segment) -> Scan:
    """Read until the end is whole, or stays torn."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (scan := segment.read()).torn and time.monotonic() < deadline:
        time.sleep(PATIENCE_SECONDS / 10)
    return scan


def _count(entry: Entry, found: Inspection, acknowledged: Ranges, name: str) -> None:
    found.last = entry.sequence
    try:
        deviation = deviation_pb2.Deviation.FromString(entry.payload)
    except DecodeError:
        found.complain(f"{name}: entry {entry.sequence} holds no deviation")
        return
    if (deviation.id, deviation.severity) != (entry.id, _WIRE_SEVERITY[entry.severity]):
        found.complain(f"{name}: entry {entry.sequence} holds another deviation than it says")
    if entry.sequence not in acknowledged:
        found.waiting[entry.severity] += 1
        found.oldest_wall_ns = found.oldest_wall_ns or deviation.first_wall_ns
        found.newest_wall_ns = deviation.first_wall_ns
