"""The evidence of a baseline as columns: one list per field of ``Entry``, in the order of the canonical content.

In: entries. Out: plain lists for msgpack, and items of a document back. Why columns: what the agent does not need it
skips, and a hundred thousand entries share few texts (sources, packages, sets of containers), named once in a table.
Next: ``canonical`` puts them into the file.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, TypeVar

from driftline.baseline.format.reading import DocumentError
from driftline.baseline.schema import MAX_BEHAVIOURS, Entry

MAX_COLLECTIONS = 8 * MAX_BEHAVIOURS
"""Lists and maps in one part of the file: each costs the reader 60 bytes, but its writer one."""

Columns = dict[str, Any]
_NUMBERS = ("first", "last", "count")
_TABLES = ("source", "package", "containers")
_Value = TypeVar("_Value", bound=Hashable)


def to_columns(entries: Iterable[Entry], containers: list[str]) -> Columns:
    """Return ``entries`` as columns.

    ``notes`` are for the few entries with checks or examples: their number, checks, examples.
    """
    kept = list(entries)
    places = {container: place for place, container in enumerate(containers)}
    seen_in = [tuple(sorted([places[container] for container in entry.containers])) for entry in kept]
    columns: Columns = {
        "source": _table(_bytes(entry.source) for entry in kept),
        "package": _table(_bytes(entry.package) for entry in kept),
        "containers": _table(seen_in),
        "first": [entry.first_ns for entry in kept],
        "last": [entry.last_ns for entry in kept],
        "count": [entry.count for entry in kept],
        "notes": [
            [number, list(map(_bytes, entry.checks)), list(map(_bytes, entry.examples))]
            for number, entry in enumerate(kept)
            if entry.checks or entry.examples
        ],
    }
    return columns


def _table(values: Iterable[_Value]) -> list[list[Any]]:
    """[distinct values, the place of each entry's value among them]; the values in the order they first come."""
    table: dict[_Value, int] = {}
    places = [table.setdefault(value, len(table)) for value in values]
    return [list(table), places]


def from_columns(columns: object, limit: int) -> Iterator[dict[str, object]]:
    """Yield the evidence of each of at most ``limit`` entries as a document's item. Raises DocumentError.

    Only the shape is checked here; ``document`` checks the values.
    """
    if not isinstance(columns, dict) or columns.keys() != {*_NUMBERS, *_TABLES, "notes"}:
        raise DocumentError("evidence: not the columns expected")
    parts: list[list[Any]] = [list(_from_table(columns[name], name, limit)) for name in _TABLES]
    parts += [_list(columns[name], name) for name in _NUMBERS]
    entries = len(parts[0])
    if any(len(part) != entries for part in parts):
        raise DocumentError("evidence: columns of different lengths")
    notes = _notes(columns["notes"], entries)
    for number, values in enumerate(zip(*parts, strict=True)):
        item: dict[str, object] = dict(zip((*_TABLES, *_NUMBERS), values, strict=True))
        yield item | notes.get(number, {})


def packages_of(columns: Columns) -> Iterator[bytes]:
    """Yield the package of each entry. Raises DocumentError."""
    for package in _from_table(columns.get("package"), "package", MAX_BEHAVIOURS):
        if not isinstance(package, bytes):
            raise DocumentError("evidence.package: not text")
        yield package


def checks_of(columns: Columns) -> dict[int, tuple[str, ...]]:
    """Return the checks of the few entries that failed any, by their number. Raises DocumentError."""
    notes = _notes(columns.get("notes"), MAX_BEHAVIOURS)
    found = {number: _list(note["checks"], "notes") for number, note in notes.items()}
    if not all(isinstance(each, bytes) for checks in found.values() for each in checks):
        raise DocumentError("evidence.notes: a check that is no text")
    return {number: tuple(each.decode("ascii", "replace") for each in checks) for number, checks in found.items()}


def _notes(value: object, limit: int) -> dict[int, dict[str, object]]:
    notes: dict[int, dict[str, object]] = {}
    for row in _list(value, "notes"):
        if not isinstance(row, list) or len(row) != 3 or type(row[0]) is not int or not 0 <= row[0] < limit:
            raise DocumentError("evidence.notes: not the number of an entry, its checks, its examples")
        notes[row[0]] = {"checks": row[1], "examples": row[2]}
    return notes


def _from_table(value: object, name: str, limit: int) -> Iterator[Any]:
    table, places = value if isinstance(value, list) and len(value) == 2 else (None, None)
    if not isinstance(table, list) or not isinstance(places, list) or len(places) > limit:
        raise DocumentError(f"evidence.{name}: not a table and at most {limit} places in it")
    for place in places:
        if type(place) is not int or not 0 <= place < len(table):
            raise DocumentError(f"evidence.{name}: no such place in the table")
        yield table[place]


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise DocumentError(f"evidence.{name}: not a list")
    return value


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
