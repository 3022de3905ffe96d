"""An RPM header as the rpm database keeps it.

In: the blob of one package. Out: its tags. Source: RPM V4 package format, "Header Structure": big-endian count of
entries, length of the data, then entries of (tag, type, offset, count), then the data; the database leaves out the
magic and the lead. Every number in it is checked before it is used. Next: ``rpm``.
"""

from __future__ import annotations

import struct

MAX_ENTRIES = 4_096
"""Tags of one package; real ones have under 120."""

_ENTRY = struct.Struct(">IIII")
_INTEGERS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q"}  # CHAR, INT8, INT16, INT32, INT64
_STRING, _STRING_ARRAY, _I18N = 6, 8, 9

Value = list[int] | list[str]


def tags(blob: bytes, wanted: frozenset[int]) -> dict[int, Value]:
    """Return the values of the ``wanted`` tags in ``blob``. Raises ValueError for anything that is no header."""
    if len(blob) < 8:
        raise ValueError("shorter than a header")
    count, length = struct.unpack_from(">II", blob)
    start = 8 + count * _ENTRY.size
    if count > MAX_ENTRIES or start + length > len(blob):
        raise ValueError("longer than its data")
    data = blob[start : start + length]
    found: dict[int, Value] = {}
    for number in range(count):
        tag, kind, offset, items = _ENTRY.unpack_from(blob, 8 + number * _ENTRY.size)
        if tag in wanted:
            found[tag] = _value(data, kind, offset, items, tag)
    return found


def _value(data: bytes, kind: int, offset: int, items: int, tag: int) -> Value:
    if kind in _INTEGERS:
        layout = struct.Struct(f">{min(items, len(data) + 1)}{_INTEGERS[kind]}")
        if offset + layout.size > len(data):
            raise ValueError(f"tag {tag}: past the end")
        return list(layout.unpack_from(data, offset))
    if kind not in (_STRING, _STRING_ARRAY, _I18N):
        raise ValueError(f"tag {tag}: unknown type {kind}")
    items = 1 if kind == _STRING else items
    if offset > len(data) or items > len(data) - offset:
        raise ValueError(f"tag {tag}: past the end")
    parts = data[offset:].split(b"\0", items)
    if len(parts) <= items:
        raise ValueError(f"tag {tag}: a text without an end")
    return [part.decode("utf-8", "surrogateescape") for part in parts[:items]]
