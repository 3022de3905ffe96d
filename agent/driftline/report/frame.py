"""Entries of the spool as bytes.

In: an entry. Out: its frame; and from any bytes at all, the entries whose frames are whole. Why a mark before each:
after damaged bytes the next good entry is found again. Pure. Next: ``segment`` keeps frames in files.

Format of a frame, little-endian: mark (4 bytes, the last is the version), length of the body (u32), CRC-32 (u32, as in
zlib, begun with the segment's salt, over the length's four bytes and the body), body: msgpack array of sequence,
severity's rank, time of the spool's clock, id, protobuf bytes. The salt makes it impossible to plant a frame inside an
entry's own text; the mark's first byte occurs in no UTF-8 text.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

from driftline.nouns import Severity
from driftline.packing import pack, unpack

MARK = b"\xffDS\x01"
SEVERITIES = len(Severity)

BODY_BYTES = 1024 * 1024 + 4096
"""Longest body: the largest deviation a collector takes (``wire.service.DEVIATION_BYTES``), its id and numbers."""

OVERHEAD_BYTES = 100
"""Most a frame adds to its payload: head, numbers and an id of 36 characters take 81 at most."""

_HEAD = struct.Struct("<4sII")
_LENGTH = struct.Struct("<I")


class Entry(NamedTuple):
    """What is kept of a deviation. ``payload`` is its protobuf message."""

    sequence: int
    severity: int  # rank, 0 (info) to 4 (critical)
    at: int  # seconds of the spool's clock (see ``clock``)
    id: str
    payload: bytes


class Scan(NamedTuple):
    """What was found in some bytes."""

    entries: list[Entry]
    ends: list[int]  # offset after each entry's frame
    damaged: int  # stretches of bytes between entries that are no entry
    torn: int  # bytes after the last entry, which are no entry either

    @property
    def end(self) -> int:
        """Offset after the last entry."""
        return self.ends[-1] if self.ends else 0


def encode(entry: Entry, salt: int) -> bytes:
    """Return the frame of ``entry``. Raises ValueError if it is too long."""
    body = pack(list(entry))
    if len(body) > BODY_BYTES:
        raise ValueError(f"an entry of {len(body)} bytes, at most {BODY_BYTES} allowed")
    return _HEAD.pack(MARK, len(body), _checksum(body, salt)) + body


def scan(data: bytes, salt: int) -> Scan:
    """Return every whole entry in ``data``; after damage, reading goes on at the next entry that is whole."""
    entries: list[Entry] = []
    ends: list[int] = []
    offset = end = damaged = 0
    while offset >= 0 and offset < len(data):
        found = _decode(data, offset, salt)
        if found is None:
            offset = data.find(MARK, offset + 1)
            continue
        damaged += offset > end
        entry, offset = found
        end = offset
        entries.append(entry)
        ends.append(end)
    return Scan(entries, ends, damaged, len(data) - end)


def _decode(data: bytes, offset: int, salt: int) -> tuple[Entry, int] | None:
    """Return the entry at ``offset`` and where its frame ends, None if there is no whole one."""
    start = offset + _HEAD.size
    if start > len(data):
        return None
    mark, length, checksum = _HEAD.unpack_from(data, offset)
    if mark != MARK or length > BODY_BYTES or start + length > len(data):
        return None
    body = data[start : start + length]
    if _checksum(body, salt) != checksum or (entry := _entry(body)) is None:
        return None
    return entry, start + length


def _entry(body: bytes) -> Entry | None:
    try:
        value = unpack(body, BODY_BYTES)
    except ValueError:
        return None
    if not isinstance(value, list) or list(map(type, value)) != [int, int, int, str, bytes]:
        return None
    entry = Entry(*value)
    return entry if entry.sequence > 0 and 0 <= entry.severity < SEVERITIES else None


def _checksum(body: bytes, salt: int) -> int:
    return crc32(body, crc32(_LENGTH.pack(len(body)), salt))
