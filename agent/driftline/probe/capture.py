"""Recorded kernel bytes: write them, read them back.

In: records. Out: a file, and records again. Format: DRIFTCAP, version and record ABI (u16 each), then per record its
length (u32) and bytes, little-endian. Why: the whole agent runs from a capture without root, and a bug report can
carry one. Next: decode, exactly as from the ring.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from driftline.errors import RecordError
from driftline.probe.layout import ABI

MAGIC = b"DRIFTCAP"
VERSION = 1
HEAD = struct.Struct("<8sHH")
LENGTH = struct.Struct("<I")
RECORD_BYTES = 64 * 1024  # the largest record is under 20 kB; a longer length is not ours


class CaptureWriter:
    """Appends records to a file."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")
        self._file.write(HEAD.pack(MAGIC, VERSION, ABI))

    def write(self, records: list[bytes]) -> None:
        """Append a batch."""
        self._file.write(b"".join(part for record in records for part in (LENGTH.pack(len(record)), record)))

    def close(self) -> None:
        """Flush and close."""
        self._file.close()


def read_capture(path: Path) -> Iterator[bytes]:
    """Records of a capture, in order. Raises RecordError for another file, another ABI, or a torn end."""
    with path.open("rb") as file:
        head = file.read(HEAD.size)
        if len(head) < HEAD.size or head[:8] != MAGIC:
            raise RecordError(f"{path} is not a capture")
        _magic, version, abi = HEAD.unpack(head)
        if (version, abi) != (VERSION, ABI):
            raise RecordError(
                f"{path} was written with format {version}, record ABI {abi}; this version reads {VERSION} and {ABI}",
                "replay it with the driftline that wrote it",
            )
        yield from _records(file, path)


def _records(file: BinaryIO, path: Path) -> Iterator[bytes]:
    number = 0
    while raw := file.read(LENGTH.size):
        size = LENGTH.unpack(raw)[0] if len(raw) == LENGTH.size else RECORD_BYTES + 1
        record = file.read(size) if size <= RECORD_BYTES else b""
        if not record or len(record) < size:
            raise RecordError(f"{path} is torn at record {number}, byte {file.tell()}")
        number += 1
        yield record
