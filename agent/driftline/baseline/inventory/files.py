"""Which package owns a path, for hundreds of thousands of paths, in few bytes.

In: paths and what is recorded of them. Out: a table searched by halving. Why not a dict: a path and its record take
some 400 bytes as Python objects; here a path takes its own bytes, its digest, and 14 more. The table's columns are
written to disk as they are. Source of the idea: a sorted string table. Next: ``inventory`` asks, ``packed`` saves.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Iterator, Mapping
from itertools import pairwise

from driftline.baseline.inventory.schema import DIGEST_SIZES, Recorded

_ALGORITHMS = ("", *DIGEST_SIZES)
_CONFIG = 0x80  # bit of a file's kind; the lower bits are the algorithm's place in _ALGORITHMS


class FileTable:
    """Paths in the order of their bytes, each with owner, recorded digest, and who recorded it."""

    __slots__ = ("by", "digests", "ends", "kinds", "names", "owners", "paths", "starts")

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self.names = names  # who recorded: at most 255
        self.paths = b""  # all paths, one after the other
        self.ends = array("I")  # where each path ends in ``paths``
        self.owners = array("I")
        self.kinds = b""
        self.by = b""  # place in ``names``
        self.digests = b""
        self.starts = array("I")  # where each digest starts in ``digests``

    def __len__(self) -> int:
        return len(self.ends)

    def find(self, path: str) -> Recorded | None:
        """Return what is recorded of ``path``, None if nobody owns it."""
        wanted = os.fsencode(path)
        place = self._place(wanted)
        return self._recorded(place) if place < len(self.ends) and self._path(place) == wanted else None

    def holds_below(self, directory: str) -> bool:
        """Return whether any path begins with ``directory``, which ends in ``/``."""
        wanted = os.fsencode(directory)
        place = self._place(wanted)
        return place < len(self.ends) and self._path(place).startswith(wanted)

    def _place(self, wanted: bytes) -> int:
        """Where ``wanted`` is, or would be."""
        low, high = 0, len(self.ends)
        while low < high:
            middle = (low + high) // 2
            if self._path(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def _path(self, number: int) -> bytes:
        return self.paths[self.ends[number - 1] if number else 0 : self.ends[number]]

    def _recorded(self, number: int) -> Recorded:
        kind = self.kinds[number]
        algorithm, start = _ALGORITHMS[kind & ~_CONFIG], self.starts[number]
        digest = self.digests[start : start + DIGEST_SIZES.get(algorithm, 0)]
        return Recorded(self.owners[number], algorithm, digest, self.names[self.by[number]], bool(kind & _CONFIG))

    def __iter__(self) -> Iterator[tuple[str, Recorded]]:
        for number in range(len(self.ends)):
            yield os.fsdecode(self._path(number)), self._recorded(number)


def table(files: Mapping[str, Recorded]) -> FileTable:
    """Return the table of ``files``."""
    names = tuple(sorted({recorded.by for recorded in files.values()}))
    places = {name: place for place, name in enumerate(names)}
    found, paths, digests, kinds, by = FileTable(names), bytearray(), bytearray(), bytearray(), bytearray()
    for path, recorded in sorted((os.fsencode(path), recorded) for path, recorded in files.items()):
        paths += path
        found.ends.append(len(paths))
        found.starts.append(len(digests))
        digests += recorded.digest
        found.owners.append(recorded.owner)
        kinds.append(_ALGORITHMS.index(recorded.algorithm) | (_CONFIG if recorded.config else 0))
        by.append(places[recorded.by])
    found.paths, found.digests, found.kinds, found.by = bytes(paths), bytes(digests), bytes(kinds), bytes(by)
    return found


def columns(found: FileTable) -> dict[str, object]:
    """Return the table as plain values; numbers are little-endian, 32 bits. ``starts`` follows from ``kinds``."""
    return {
        "by": found.by,
        "digests": found.digests,
        "ends": _little(found.ends).tobytes(),
        "kinds": found.kinds,
        "names": list(found.names),
        "owners": _little(found.owners).tobytes(),
        "paths": found.paths,
    }


def _little(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers = array("I", numbers)
        numbers.byteswap()
    return numbers


def from_columns(values: Mapping[str, object], packages: int) -> FileTable:
    """Return the table in ``values``. Raises ValueError or TypeError where they contradict each other."""
    names = values["names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError("files.names: not a list of texts")
    found = FileTable(tuple(names))
    found.paths, found.digests, found.kinds, found.by = (_bytes(values, n) for n in ("paths", "digests", "kinds", "by"))
    found.ends, found.owners = (_numbers(_bytes(values, name), name) for name in ("ends", "owners"))
    _check(found, packages)
    return found


def _bytes(values: Mapping[str, object], name: str) -> bytes:
    value = values[name]
    if not isinstance(value, bytes):
        raise TypeError(f"files.{name}: not bytes")
    return value


def _numbers(data: bytes, name: str) -> array[int]:
    if len(data) % 4:
        raise ValueError(f"files.{name}: not whole numbers")
    numbers = array("I")
    numbers.frombytes(data)
    return _little(numbers)


def _check(found: FileTable, packages: int) -> None:
    """Every column has as many rows, numbers point at something, paths ascend; fills ``starts``."""
    rows = len(found.ends)
    if not rows == len(found.owners) == len(found.kinds) == len(found.by):
        raise ValueError("files: columns of different length")
    if rows and (max(found.owners) >= packages or max(found.by) >= len(found.names)):
        raise ValueError("files: a number points nowhere")
    if (found.ends[-1] if rows else 0) != len(found.paths) or any(a >= b for a, b in pairwise(found.ends)):
        raise ValueError("files.ends: out of order")
    if any(found._path(row - 1) >= found._path(row) for row in range(1, rows)):
        raise ValueError("files.paths: out of order")
    position = 0
    for kind in found.kinds:
        if kind & ~_CONFIG >= len(_ALGORITHMS):
            raise ValueError("files.kinds: unknown algorithm")
        found.starts.append(position)
        position += DIGEST_SIZES.get(_ALGORITHMS[kind & ~_CONFIG], 0)
    if position != len(found.digests):
        raise ValueError("files.digests: wrong length")
