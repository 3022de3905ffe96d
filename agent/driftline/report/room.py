"""What gives way when the spool is full, or too old.

In: the sealed segments, which entries were sent and acknowledged. Out: fewer bytes; how many entries of each severity
were given up. Why whole passes by severity: a flood of unimportant entries must not push out the one that matters, so
the oldest of the lowest severity go first, a segment at a time. What was acknowledged goes for nothing; what is on its
way to the collector stays. Next: ``spool`` counts and tells.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from driftline.report.frame import OVERHEAD_BYTES, SEVERITIES, Entry
from driftline.report.ranges import Ranges
from driftline.report.segment import SEGMENT_BYTES, Segment, rewritten

ALL = range(SEVERITIES)


class Room:
    """Shrinks ``segments`` (changed in place, in order of their sequences). Methods raise OSError."""

    def __init__(self, directory: Path, segments: list[Segment], taken: Ranges, acknowledged: Ranges) -> None:
        self._directory = directory
        self._segments = segments
        self._taken = taken
        self._acknowledged = acknowledged
        self.sync = False  # whether a rewritten segment must survive a power failure
        self.given_up = [0] * SEVERITIES  # entries by rank, because there was no room
        self.expired = [0] * SEVERITIES  # entries by rank, because of their age
        self.unreadable = 0  # entries whose file could not be read any more

    @property
    def lost(self) -> int:
        """Everything given up so far."""
        return sum(self.given_up) + sum(self.expired) + self.unreadable

    def make(self, limit: int) -> None:
        """Give up entries until all segments together hold at most ``limit`` bytes."""
        self.remove_delivered()
        for rank in ALL:
            for segment in list(self._segments):
                if self.size <= limit:
                    return
                if segment.counts[rank]:
                    self._shrink(segment, {rank}, self.given_up)

    def expire(self, before: int) -> None:
        """Give up entries of segments whose newest is from before that second of the spool's clock."""
        for segment in list(self._segments):
            if segment.newest_at < before:
                self._shrink(segment, ALL, self.expired)

    def remove_delivered(self) -> None:
        """Remove segments of which nothing is wanted any more."""
        for segment in list(self._segments):
            if self._acknowledged.covers(segment.first, segment.last):
                self._replace([segment], [])

    def give_up(self, segment: Segment) -> None:
        """Count what ``segment`` held as unreadable and forget it. The file stays: the next start tries again."""
        waiting = sum(number not in self._taken for number in range(segment.first, segment.last + 1))
        self.unreadable += min(waiting, segment.entries)  # a sequence may have been given up before
        self._segments.remove(segment)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self._segments)

    def _shrink(self, segment: Segment, ranks: Collection[int], count: list[int]) -> None:
        try:
            entries = [entry for entry in segment.read().entries if entry.sequence >= segment.first]
        except OSError:
            self.give_up(segment)
            return
        wanted = [entry for entry in entries if entry.sequence not in self._acknowledged]
        going = {e.sequence for e in wanted if e.severity in ranks and e.sequence not in self._taken}
        kept = [entry for entry in wanted if entry.sequence not in going]
        if len(kept) < len(entries):
            self._put_in_place(segment, kept)
        for entry in wanted:
            count[entry.severity] += entry.sequence in going

    def _put_in_place(self, segment: Segment, kept: list[Entry]) -> None:
        """Replace ``segment`` by one with ``kept``, joined with the one before where both fit: few files, not many."""
        old, entries = [segment], kept
        index = self._segments.index(segment)
        left = self._segments[index - 1] if index else None
        size = sum(len(entry.payload) + OVERHEAD_BYTES for entry in kept)
        if kept and left is not None and left.size + size <= SEGMENT_BYTES:
            old, entries = [left, segment], [*self._of(left), *kept]
        self._replace(old, [rewritten(self._directory, entries, self.sync)] if entries else [])

    def _of(self, segment: Segment) -> list[Entry]:
        return [entry for entry in segment.read().entries if entry.sequence >= segment.first]

    def _replace(self, old: list[Segment], new: list[Segment]) -> None:
        index = self._segments.index(old[0])
        self._segments[index : index + len(old)] = new
        for segment in old:
            segment.path.unlink(missing_ok=True)
