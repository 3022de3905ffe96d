"""A baseline on the wire: cut into pieces, and put together again.

In: the bytes of a baseline, or the pieces a peer sent. Out: the other. Why so strict: a peer says how large the whole
will be and what its digest is, and nothing is kept that does not fit both. What is in it is still compressed:
``inflate`` is for a process that may use the memory. Next: ``uplink`` and the collector's streams send and take pieces.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from driftline.wire.gen.driftline.v1 import baseline_pb2 as pb
from driftline.wire.service import PART_BYTES, WHOLE_BYTES

_FORMATS = frozenset({pb.BASELINE_FORMAT_MSGPACK, pb.BASELINE_FORMAT_DSSE})


class PieceError(ValueError):
    """Pieces that make up no baseline; the message says why."""


class Whole(NamedTuple):
    """A baseline as it travelled. ``name``: escaped; ``data``: compressed; ``form``: a BaselineFormat."""

    name: str
    version: str
    form: int
    data: bytes


def parts(name: str, version: str, form: int, whole: bytes) -> Iterator[pb.BaselinePart]:
    """Yield the pieces of ``whole`` (compressed); ``name`` as on the wire, escaped.

    Raises PieceError, before the first piece, for more than a peer takes.
    """
    if not 0 < len(whole) <= WHOLE_BYTES:
        raise PieceError(f"a baseline of {len(whole)} bytes, 1 to {WHOLE_BYTES} can be sent")
    return _cut(name, version, form, whole)


def _cut(name: str, version: str, form: int, whole: bytes) -> Iterator[pb.BaselinePart]:
    kind = pb.BaselineFormat.Name(form)
    sha256 = hashlib.sha256(whole).digest()
    for offset in range(0, len(whole), PART_BYTES):
        data = whole[offset : offset + PART_BYTES]
        yield pb.BaselinePart(
            name=name, version=version, format=kind, size=len(whole), offset=offset, data=data, sha256=sha256
        )


class PieceOrder:
    """The order of the pieces of one baseline after the other, as one stream brings them; keeps none of their bytes."""

    def __init__(self) -> None:
        self._head: pb.BaselinePart | None = None
        self._taken = 0
        self._sha256 = hashlib.sha256()

    def take(self, part: pb.BaselinePart) -> bool:
        """Whether ``part`` completes a baseline.

        Raises PieceError for a piece that does not fit; then only a piece at offset 0 begins anew.
        """
        try:
            return self._take(part)
        except PieceError:
            self._head = None
            raise

    def _take(self, part: pb.BaselinePart) -> bool:
        if part.offset == 0:
            self._begin(part)
        head = self._head
        if head is None:
            raise PieceError(f"a piece at {part.offset} before the one at 0")
        if _what(part) != _what(head):
            raise PieceError("a piece of another baseline before the last one of this")
        if part.offset != self._taken:
            raise PieceError(f"a piece at {part.offset}, where the one at {self._taken} is next")
        if not 0 < len(part.data) <= min(PART_BYTES, head.size - self._taken):
            raise PieceError(f"a piece of {len(part.data)} bytes at {part.offset} of {head.size}")
        self._taken += len(part.data)
        self._sha256.update(part.data)
        if self._taken < head.size:
            return False
        if self._sha256.digest() != head.sha256:
            raise PieceError("its bytes do not have the digest they came with")
        self._head = None
        return True

    def _begin(self, part: pb.BaselinePart) -> None:
        if part.format not in _FORMATS:
            raise PieceError(f"format {part.format} is none we know")
        if not 0 < part.size <= WHOLE_BYTES:
            raise PieceError(f"a baseline of {part.size} bytes, 1 to {WHOLE_BYTES} are taken")
        self._head = pb.BaselinePart()
        self._head.CopyFrom(part)
        self._head.ClearField("data")
        self._taken, self._sha256 = 0, hashlib.sha256()


class Gathering:
    """The pieces of one baseline after the other, kept in memory: at most ``WHOLE_BYTES``."""

    def __init__(self) -> None:
        self._order = PieceOrder()
        self._data = bytearray()

    def take(self, part: pb.BaselinePart) -> Whole | None:
        """Return the baseline that ``part`` completes, None while pieces are missing.

        Raises PieceError for a piece that does not fit; what was gathered so far is dropped, and only a piece at offset
        0 begins anew.
        """
        if part.offset == 0:
            self._data = bytearray()
        try:
            complete = self._order.take(part)
        except PieceError:
            self._data = bytearray()
            raise
        self._data += part.data
        if not complete:
            return None
        data, self._data = bytes(self._data), bytearray()
        return Whole(part.name, part.version, part.format, data)


def _what(part: pb.BaselinePart) -> tuple[object, ...]:
    """What all pieces of one baseline have in common."""
    return part.name, part.version, part.format, part.size, part.sha256


def deflate(data: bytes) -> bytes:
    """Return ``data`` as it travels."""
    return zlib.compress(data)


def inflate(data: bytes, limit: int) -> bytes:
    """Return what ``data`` was made from, at most ``limit`` bytes. Raises PieceError, never using more memory."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise PieceError(f"not zlib: {error}") from error
    if len(plain) > limit:
        raise PieceError(f"more than {limit} bytes when decompressed")
    if not inflater.eof:
        raise PieceError("compressed data that ends too early")
    if inflater.unused_data:
        raise PieceError(f"{len(inflater.unused_data)} bytes after the compressed data")
    return plain
