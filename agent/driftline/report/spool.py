"""Deviations on disk until the collector has them.

In: encoded deviations. Out: the same, oldest first, to send; after a restart again from the first that was not
acknowledged. Why segments: what is delivered goes by removing files, and a full spool shrinks by rewriting small ones.
Thread-safe; ``sync`` and ``save`` are for the keeper's thread. Next: ``backlog`` sends, ``keeper`` keeps.

Guarantees and format: docs/spool.md.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from driftline.errors import StateError
from driftline.nouns import Loss, Severity
from driftline.report import cursor
from driftline.report.clock import SpoolClock
from driftline.report.cursor import Cursor
from driftline.report.flushing import Flusher
from driftline.report.frame import Entry, encode
from driftline.report.lane import Chunk, Lane
from driftline.report.ranges import Ranges
from driftline.report.recovery import load_cursor, recover
from driftline.report.room import Room
from driftline.report.segment import SEGMENT_BYTES, Segment
from driftline.text import escape

ISLANDS = 1024
"""Acknowledged intervals above the first gap: beyond it nothing overtakes the backlog until that has caught up."""

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class SpoolOptions:
    """Where the spool is and how much it may hold: bytes, days; when it must be safe from a power failure."""

    directory: Path
    capacity: int
    days: float
    fsync: Literal["always", "batch", "never"]
    fsync_ms: int


class Item(NamedTuple):
    """What ``append`` takes: severity's rank, id, protobuf bytes."""

    severity: int
    id: str
    payload: bytes


class Spool:
    """The spool in ``options.directory``, made if missing. Raises StateError if it cannot be used."""

    def __init__(self, options: SpoolOptions) -> None:
        self._options = options
        self._directory = options.directory
        self._lock = threading.RLock()
        self._descriptor = -1  # of the last segment, if that is open for appending
        self._closed = False
        self._losses: Counter[str] = Counter()  # without what the room gave up
        self.unsaved = True
        """Whether ``save`` has something to do."""
        self.trouble: OSError | None = None
        """Why the last ``append`` did not take everything."""
        self.unsent = 0
        """Entries waiting to be read. May be a little wrong after damage; ``more`` never is."""
        self.more = False
        """Whether ``read`` has something to give."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_file = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._open()
            except OSError:
                os.close(self._lock_file)
                raise
        except OSError as error:
            raise _explain(error, self._directory) from error

    def _open(self) -> None:
        fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        last = load_cursor(self._directory)
        self._acknowledged = Ranges([(0, 0), *(last.acknowledged if last else [])])
        found = recover(self._directory, self._acknowledged)
        self._taken = Ranges(self._acknowledged.pairs)
        self._segments = found.segments
        self._room = Room(self._directory, self._segments, self._taken, self._acknowledged)
        self._lane = Lane(self._segments, self._taken, self._acknowledged, self._forget, self._damaged)
        self._room.sync = self._options.fsync != "never"
        self._flusher = Flusher(self._directory, self._options.fsync)
        newest = max((segment.newest_at for segment in found.segments), default=0)
        self._clock = SpoolClock(last.moment if last else None, newest)
        end = found.segments[-1].last if found.segments else 0
        self._next = max(last.next if last else 1, end + 1, self._acknowledged.last + 1)
        self.unsent = found.unsent
        self._losses["torn"], self._losses["corrupt"] = found.torn, found.corrupt
        self._losses["unreadable"] = found.unreadable
        if self._segments and self._segments[-1].size < SEGMENT_BYTES:
            self._descriptor = self._segments[-1].reopen()
        self._begin_to_save()
        self._look()

    def _begin_to_save(self) -> None:
        """Write the cursor, which shows that the directory can be written. A full disk is no reason not to deliver."""
        try:
            self.save()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    # --- write -------------------------------------------------------------------------------------------------------

    def append(self, items: Sequence[Item], overtaking: bool = False) -> tuple[int, int]:
        """Write ``items`` in order; return the sequence of the first and how many were written.

        Fewer than all: see ``trouble``. ``overtaking``: the caller sends them itself, ``read`` will pass them over.
        """
        with self._lock:
            first, written, self.trouble = self._next, 0, None
            try:
                while written < len(items):
                    written += self._write(items[written:])
            except OSError as error:
                self.trouble = error
            if overtaking and written:
                self._taken.add(first, first + written - 1)
            else:
                self.unsent += written
            self.unsaved = True
            self._look()
            return first, written

    def _write(self, items: Sequence[Item]) -> int:
        """Append as many of ``items`` as fit into the last segment, at least one; return their number."""
        segment = self._writable()
        at, frames, entries, size = self._clock.now(), [], [], segment.size
        for sequence, item in enumerate(items, self._next):
            entry = Entry(sequence, item.severity, at, item.id, item.payload)
            frame = encode(entry, segment.salt)
            if size + len(frame) > SEGMENT_BYTES and size:
                break
            entries.append(entry)
            frames.append(frame)
            size += len(frame)
        if not entries:
            self._seal()
            return 0
        self._put(segment, b"".join(frames), len(entries))
        for entry in entries:
            segment.note(entry)
        return len(entries)

    def _put(self, segment: Segment, data: bytes, count: int) -> None:
        """Write ``data`` wholly, or take back what was written of it."""
        try:
            if (written := os.write(self._descriptor, data)) != len(data):
                written += os.write(self._descriptor, data[written:])  # says why; full disks write what fits first
            if written != len(data):
                raise OSError(f"only {written} of {len(data)} bytes were written")
        except OSError:
            self._take_back(segment, count)
            raise
        segment.size += len(data)
        self._next += count
        self._losses["sync_failed"] += not self._flusher.wrote(self._descriptor)

    def _take_back(self, segment: Segment, count: int) -> None:
        try:
            os.ftruncate(self._descriptor, segment.size)
        except OSError:
            self._next += count  # whole entries may lie there: their sequences must not be used for others
            self._seal()

    def _writable(self) -> Segment:
        if self._closed:
            raise OSError(errno.EBADF, "it is closed")
        if self._descriptor < 0:
            self._make_room()
            segment = Segment.named(self._directory, self._next)
            self._descriptor = segment.create()
            self._segments.append(segment)
            self._losses["sync_failed"] += not self._flusher.made_file()
        return self._segments[-1]

    def _seal(self) -> None:
        """End the last segment."""
        if self._descriptor >= 0:
            self._flusher.sealed(self._descriptor)
            self._descriptor = -1
            if not self._segments[-1].entries:  # nothing could be written to it
                self._segments.pop().path.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Leave room for a new segment, and for the one that is being rewritten meanwhile."""
        before = self._room.lost
        try:
            self._room.make(self._options.capacity - 2 * SEGMENT_BYTES)
        finally:
            self.unsent -= self._room.lost - before

    # --- read --------------------------------------------------------------------------------------------------------

    def read(self, most: int, most_bytes: int) -> Chunk | None:
        """Return the next entries to send, None if there are none: about ``most_bytes``, one entry at least."""
        with self._lock:
            chunk = self._lane.next(self._next, most, most_bytes)
            self.unsent -= len(chunk.entries) if chunk else 0
            self._look()
            return chunk

    def _damaged(self, segment: Segment) -> None:
        """Entries that were good once are not any more: count them. Raises OSError."""
        left = sum(entry.sequence >= segment.first for entry in segment.read().entries)
        self._losses["corrupt"] += segment.entries - left
        self.unsent -= segment.entries - left
        segment.damaged = True

    def _forget(self, segment: Segment) -> None:
        """Count what a file held that cannot be read any more."""
        if segment is self._segments[-1]:
            self._seal()
        before = self._room.lost
        self._room.give_up(segment)
        self.unsent -= self._room.lost - before

    def _look(self) -> None:
        self.more = self._lane.more(self._next)
        if not self.more:
            self.unsent = 0

    # --- keep --------------------------------------------------------------------------------------------------------

    def acknowledge(self, first: int, last: int) -> None:
        """The collector has what was sent from ``first`` to ``last``."""
        with self._lock:
            self._acknowledged.add(first, last)
            self.unsaved = True

    def tidy(self) -> None:
        """Remove what was acknowledged, give up what is too old. Raises OSError."""
        with self._lock:
            before = self._room.lost
            oldest = self._clock.now() - int(self._options.days * DAY_SECONDS)
            if self._segments and self._segments[-1].newest_at < oldest:
                self._seal()
            try:
                sealed = self._descriptor < 0
                active = None if sealed else self._segments.pop()
                try:
                    self._room.remove_delivered()
                    self._room.expire(oldest)
                finally:
                    if active is not None:
                        self._segments.append(active)
            finally:
                self.unsent -= self._room.lost - before
                self._look()

    def sync(self) -> None:
        """Make safe from a power failure what was written. Waits for the disk, not under the lock. Raises OSError."""
        if not self._flusher.flush(self._lock):
            self._losses["sync_failed"] += 1

    def save(self, sync: bool = False) -> None:
        """Write the cursor if it changed. Raises OSError."""
        with self._lock:
            changed, self.unsaved = self.unsaved, False
            now = Cursor(self._acknowledged.pairs, self._next, self._clock.moment())
        if not changed:
            return
        try:
            cursor.save(self._directory, now, sync or self._options.fsync == "always")
        except OSError:
            self.unsaved = True
            raise

    def close(self) -> None:
        """Write what is left to write and give everything back. Once more does nothing."""
        if self._closed:
            return
        try:
            with self._lock:
                self._seal()
            self.sync()
            self.save(sync=self._options.fsync != "never")
        except OSError as error:
            self.trouble = error
        self._closed = True
        os.close(self._lock_file)

    # --- tell --------------------------------------------------------------------------------------------------------

    @property
    def may_overtake(self) -> bool:
        """Whether another interval of entries that overtake the backlog can be remembered."""
        return len(self._taken) < ISLANDS

    @property
    def dirty(self) -> bool:
        """Whether ``sync`` has something to do."""
        return self._flusher.dirty

    def losses(self) -> list[Loss]:
        """Return what was lost, by cause. Waits for nothing."""
        causes = {
            "dropped": sum(self._room.given_up),
            "expired": sum(self._room.expired),
            "unreadable": self._losses["unreadable"] + self._room.unreadable,
            "torn": self._losses["torn"],
            "corrupt": self._losses["corrupt"],
            "sync_failed": self._losses["sync_failed"],
        }
        return [Loss("spool", cause, count) for cause, count in sorted(causes.items()) if count]

    def counters(self) -> dict[str, int]:
        """Return figures for the heartbeat. Waits for nothing."""
        figures = {
            "spool.unsent": self.unsent,
            "spool.bytes": self._room.size,
            "spool.segments": len(self._segments),
        }
        for severity in Severity:
            figures[f"spool.dropped.{severity}"] = self._room.given_up[severity.rank]
            figures[f"spool.expired.{severity}"] = self._room.expired[severity.rank]
        return figures


def _explain(error: OSError, directory: Path) -> StateError:
    if isinstance(error, BlockingIOError):
        return StateError(f"the spool {escape(str(directory))} is used by another agent", "give each its --state-dir")
    return StateError(f"the spool {escape(str(directory))} cannot be used: {error.strerror or error}")
