"""The backlog's way out of the spool: from the oldest entry that was not sent to the newest.

In: segments, what was sent already. Out: chunks of entries in order. Why it remembers an offset only as a hint:
segments are rewritten under its feet, sequences stay. Not thread-safe: ``spool`` holds a lock. Next: ``backlog``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from driftline.report.frame import Entry
from driftline.report.ranges import Ranges
from driftline.report.segment import Segment


class Chunk(NamedTuple):
    """Entries to send: they and everything between their sequences are sent with them."""

    first: int
    last: int
    entries: list[Entry]


class Lane:
    """Reads ``segments`` in order. ``unreadable`` and ``damaged`` are told of a segment that has become so."""

    def __init__(
        self,
        segments: list[Segment],
        taken: Ranges,
        acknowledged: Ranges,
        unreadable: Callable[[Segment], None],
        damaged: Callable[[Segment], None],
    ) -> None:
        self._segments = segments
        self._taken = taken
        self._acknowledged = acknowledged
        self._unreadable = unreadable
        self._damaged = damaged
        self._position = 1  # entries before it were sent, or went
        self._hint: tuple[Segment | None, int, int] = (None, 0, 0)  # segment, sequence and offset of the next entry

    def more(self, end: int) -> bool:
        """Whether a sequence below ``end`` was not sent."""
        return self._taken.gap(self._position)[0] < end

    def next(self, end: int, most: int, most_bytes: int) -> Chunk | None:
        """Return the next entries below sequence ``end``, None if there are none; they count as sent."""
        while (segment := self._segment()) is not None:
            if (chunk := self._chunk(segment, end, most, most_bytes)) is not None:
                self._taken.add(chunk.first, chunk.last)
                return chunk
        self._pass_over(end - 1)
        return None

    def _segment(self) -> Segment | None:
        """Go to the next sequence that was not sent; return the segment it is in."""
        self._position = self._taken.gap(self._position)[0]
        return next((segment for segment in self._segments if segment.last >= self._position), None)

    def _chunk(self, segment: Segment, end: int, most: int, most_bytes: int) -> Chunk | None:
        """Return what ``segment`` holds for us, None if that is nothing: then the position is behind it."""
        stop = self._taken.gap(self._position)[1] or end
        entries: list[Entry] = []
        size = 0
        for entry, offset in self._entries(segment, stop):
            entries.append(entry)
            size += len(entry.payload)
            self._hint = segment, entry.sequence + 1, offset
            if len(entries) >= most or size >= most_bytes:
                break
        if entries:
            return Chunk(self._position, entries[-1].sequence, entries)
        self._pass_over(min(stop - 1, max(segment.last, self._position)))
        return None

    def _pass_over(self, last: int) -> None:
        """Between here and ``last`` nothing is left to send."""
        if self._position <= last:
            self._taken.add(self._position, last)
            self._acknowledged.add(self._position, last)

    def _entries(self, segment: Segment, stop: int) -> list[tuple[Entry, int]]:
        """Return the wanted entries of ``segment`` and where each ends."""
        known, sequence, begin = self._hint
        offset = begin if known is segment and sequence <= self._position else 0
        try:
            found = segment.read(offset)
            if not segment.damaged and (found.damaged or offset + found.end != segment.size):
                self._damaged(segment)
        except OSError:
            self._unreadable(segment)
            return []
        ends = zip(found.entries, found.ends, strict=True)
        wanted = [(entry, offset + end) for entry, end in ends if self._position <= entry.sequence < stop]
        if all(one.sequence < following.sequence for (one, _), (following, _) in pairwise(wanted)):
            return wanted
        once = {entry.sequence: entry for entry, _ in wanted}  # a broken disk has copied bytes from place to place
        return [(once[sequence], 0) for sequence in sorted(once)]  # offset 0: the next may be anywhere
