"""How far the spool was acknowledged, in a small file.

In: the acknowledged numbers, the next number, the clock's reading. Out: the same after a restart. Why replaced by
renaming: a crash leaves the old file or the new one. An old one, or none, only means that entries are sent again, which
the collector notices by their ids. Next: ``spool``.

Format: CRC-32 (u32, little-endian, as in zlib), then a msgpack array: version 1, array of first, last, first, last…,
next number, clock's seconds, boot id, seconds since boot.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from driftline.packing import pack, unpack
from driftline.report.clock import Moment
from driftline.report.ranges import Pair

NAME = "cursor"
VERSION = 1

CURSOR_BYTES = 64 * 1024
"""Largest cursor file: ``spool.ISLANDS`` intervals of two numbers of at most nine bytes, and some to spare."""

_CHECKSUM = struct.Struct("<I")


class Cursor(NamedTuple):
    """See the module."""

    acknowledged: list[Pair]
    next: int
    moment: Moment


def save(directory: Path, cursor: Cursor, sync: bool) -> None:
    """Replace the cursor in ``directory``; with ``sync`` it survives a power failure. Raises OSError."""
    flat = [number for pair in cursor.acknowledged for number in pair]
    body = pack([VERSION, flat, cursor.next, *cursor.moment])
    temporary = directory / f"{NAME}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(_CHECKSUM.pack(crc32(body)) + body)
        if sync:
            stream.flush()
            os.fsync(stream.fileno())
    temporary.replace(directory / NAME)


def load(directory: Path) -> Cursor | None:
    """Return the cursor in ``directory``, None if there is none. Raises ValueError if it is damaged, OSError."""
    try:
        with (directory / NAME).open("rb") as stream:
            data = stream.read(CURSOR_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(data) < _CHECKSUM.size or crc32(data[_CHECKSUM.size :]) != _CHECKSUM.unpack_from(data)[0]:
        raise ValueError("its checksum is wrong")
    value = unpack(data[_CHECKSUM.size :], CURSOR_BYTES)
    if not isinstance(value, list) or list(map(type, value)) != [int, list, int, int, str, int]:
        raise ValueError("it holds something else")
    version, flat, following, seconds, boot_id, since_boot = value
    if version != VERSION or len(flat) % 2 or not all(isinstance(number, int) for number in flat):
        raise ValueError("it is of another version")
    return Cursor(list(zip(flat[::2], flat[1::2], strict=True)), following, Moment(seconds, boot_id, since_boot))
