"""One file of the spool.

In: entries in order. Out: a file that is only ever appended to, and what is known of its content without reading it
again. Why the salt is in the name: damage at the beginning of the file must not make the rest unreadable. Next:
``spool`` decides when one ends, ``room`` which ones shrink.

Name: first sequence (20 digits), ``-``, salt (8 hexadecimal digits), ``.spool``.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from driftline.report.frame import BODY_BYTES, SEVERITIES, Entry, Scan, encode, scan

SEGMENT_BYTES = 2 * 1024 * 1024
"""A segment ends before it is longer than this: any entry fits, and to rewrite one takes some ten milliseconds."""

READ_BYTES = SEGMENT_BYTES + BODY_BYTES
"""Most that is read of one file: a file that is longer was not written by us."""

SUFFIX = ".spool"

_NAME = re.compile(r"([0-9]{20})-([0-9a-f]{8})\.spool")


class Segment:
    """A segment and its figures. Reading and cutting raise OSError."""

    def __init__(self, path: Path, salt: int) -> None:
        self.path = path
        self.salt = salt
        self.first = self.last = 0  # sequence numbers, 0 while there is no entry
        self.size = 0  # bytes of whole frames (and of damage between them)
        self.newest_at = 0  # seconds of the spool's clock
        self.counts = [0] * SEVERITIES  # entries by severity's rank
        self.damaged = False

    @classmethod
    def named(cls, directory: Path, first: int) -> Self:
        """Return a segment that does not exist yet, with a salt nobody can guess."""
        salt = int.from_bytes(os.urandom(4), "little")
        return cls(directory / f"{first:020d}-{salt:08x}{SUFFIX}", salt)

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """Return the segment at ``path``, None if its name is not a segment's."""
        match = _NAME.fullmatch(path.name)
        return cls(path, int(match[2], 16)) if match else None

    def read(self, offset: int = 0) -> Scan:
        """Return what the file holds from ``offset`` on."""
        with self.path.open("rb", buffering=0) as stream:
            data = os.pread(stream.fileno(), READ_BYTES, offset)
        return scan(data, self.salt)

    def note(self, entry: Entry) -> None:
        """Count ``entry``, which the file holds."""
        self.first = self.first or entry.sequence
        self.last = entry.sequence
        self.newest_at = max(self.newest_at, entry.at)
        self.counts[entry.severity] += 1

    def measure(self, found: Scan, after: int) -> list[Entry]:
        """Count those entries of ``found`` whose sequence is greater than ``after``; return them."""
        fresh = [entry for entry in found.entries if entry.sequence > after]
        for entry in fresh:
            self.note(entry)
        self.size, self.damaged = found.end, found.damaged > 0
        return fresh

    @property
    def entries(self) -> int:
        """How many it holds."""
        return sum(self.counts)

    def create(self) -> int:
        """Make the file and return a descriptor to append to it. Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        return os.open(self.path, flags, 0o600)

    def reopen(self) -> int:
        """Return a descriptor to append to what is there, the file cut after its last entry. Raises OSError."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.ftruncate(descriptor, self.size)
        return descriptor


def rewritten(directory: Path, entries: Iterable[Entry], sync: bool) -> Segment:
    """Return a new segment that holds ``entries``: whole, or not there at all. Raises OSError.

    Until the files it replaces are gone, its entries are there twice; a reader takes each sequence once.
    """
    kept = list(entries)
    segment = Segment.named(directory, kept[0].sequence)
    temporary = segment.path.with_suffix(".new")
    data = b"".join(encode(entry, segment.salt) for entry in kept)
    try:
        with temporary.open("wb", buffering=0) as stream:
            os.fchmod(stream.fileno(), 0o600)
            written = stream.write(data)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sync:
                os.fsync(stream.fileno())
        temporary.rename(segment.path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    for entry in kept:
        segment.note(entry)
    segment.size = len(data)
    return segment


def segments_in(directory: Path) -> list[Segment]:
    """Return the segments of ``directory`` by first sequence, nothing counted yet. Raises OSError."""
    found = (Segment.at(path) for path in sorted(directory.iterdir()))
    return [segment for segment in found if segment is not None]
