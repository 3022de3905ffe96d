"""A deviation as one line of JSON, with all its evidence.

In: ``Deviation``. Out: one JSON object without a line break, every text escaped by ``driftline.text`` (so a path that
is not UTF-8 survives and nothing can reach a terminal). Why here: standalone agents and ``driftline tail --json`` must
write the same. Next: ``report.jsonlines``, ``cli.tail``.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from enum import IntFlag, StrEnum
from functools import cache
from typing import Any

from driftline.nouns import Access, Deviation, RecordFlag
from driftline.text import escape

_FLAGS: dict[str, type[IntFlag]] = {"access": Access, "flags": RecordFlag}


def deviation_to_json(deviation: Deviation) -> str:
    """Return ``deviation`` as JSON, in ASCII: whatever encoding standard output has, it can be written.

    Keys are the fields of ``nouns.Deviation`` plus ``time`` (RFC 3339 with nanoseconds, of the last folded event);
    ``labels`` is an object; ``access`` and ``flags`` are lists of names; absent parts are null.
    """
    values = {"time": wall_time(deviation.last_wall_ns), **_object(deviation)}
    return json.dumps(values, separators=(",", ":"))


def wall_time(wall_ns: int) -> str:
    """Return Unix nanoseconds as RFC 3339 in UTC, "2026-11-23T14:03:22.123456789Z"; "" if no calendar has it."""
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
    except (OverflowError, ValueError, OSError):
        return ""


def flag_names(flags: int, kind: type[IntFlag]) -> list[str]:
    """Return the lower-case names of the bits set in ``flags``; bits without a name as one hexadecimal number."""
    if not flags:
        return []
    bits = _bits(kind)
    unknown = flags & ~sum(bit for bit, _name in bits)
    return [*(name for bit, name in bits if flags & bit), *([hex(unknown)] if unknown else [])]


@cache
def _bits(kind: type[IntFlag]) -> tuple[tuple[int, str], ...]:
    """Plain numbers: an operation on an ``IntFlag`` takes a microsecond, and somebody waits for the line."""
    return tuple((int(flag), str(flag.name).lower()) for flag in kind)


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _object(value: Any) -> dict[str, Any]:
    return {name: _value(name, getattr(value, name)) for name in _names(value.__class__)}


def _value(name: str, value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return escape(value)
    if name in _FLAGS:
        return flag_names(value, _FLAGS[name])
    if value is None or kind is int or kind is bool:
        return value
    if isinstance(value, StrEnum):
        return value.value
    if name == "labels":
        return {escape(key): escape(text) for key, text in value}
    return [_value("", item) for item in value] if kind is tuple else _object(value)
