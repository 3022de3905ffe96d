"""Canonical bytes of a baseline, their digest (its version), and the msgpack file the agent loads.

In: a ``Baseline``. Out: bytes, and back. Why: equal content must have equal bytes, whatever the order it was learned
in, so that a version can be compared, and later signed. The version covers what is expected of which image: key,
workload, behaviours with their standing, excuses. Times, counts, names, state and reviews do not change it.

The file is a map: ``content`` is the canonical content as bytes, so that its digest is that of the bytes read;
``evidence`` (``columns``) is apart, so that the agent, which judges by 64 images, never builds it. Next: ``store``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from driftline.baseline.format.columns import MAX_COLLECTIONS, checks_of, from_columns, packages_of, to_columns
from driftline.baseline.format.document import check_format, from_document, head_of, read_head
from driftline.baseline.format.fields import BEHAVIOUR, CLASSES, Form
from driftline.baseline.format.reading import Codec, DocumentError, Reader, shown
from driftline.baseline.matching import Matcher
from driftline.baseline.patterns.pattern import check_width
from driftline.baseline.schema import (
    FORMAT,
    MAX_BEHAVIOURS,
    REVIEWED,
    Baseline,
    Entry,
    Standing,
    fields_of,
    ordered,
)
from driftline.nouns import Behaviour
from driftline.packing import pack, unpack

MAX_FILE = 64 * 1024 * 1024
"""Largest baseline file read: 100 000 behaviours of 200 bytes with their evidence take about 30 MiB."""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _read_bytes(value: Any) -> str:
    if not isinstance(value, bytes):
        raise TypeError("not bytes")
    return os.fsdecode(value)


def _read_number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("not a number")
    return value


def _read_port(value: Any) -> int:
    if type(value) is not int or not -1 <= value <= 65_535:
        raise TypeError("no port")
    return value


_CODEC = Codec(_bytes, int, int, _read_bytes, _read_number, _read_port, strict=False)
_SECTIONS = tuple(sorted(CLASSES))  # the order of the evidence
_WORTH = ("standing", "whether a person wrote it")
"""What follows the fields of a behaviour in its row."""
_STANDINGS = {standing: standing.value.encode() for standing in Standing}
_EXPECTED = frozenset({b"allowed", b"unconfirmed"})
_PARTS = {"format": str, "version": str, "head": bytes, "content": bytes, "evidence": bytes}
_CONTENT = {**dict.fromkeys(_SECTIONS, list), "excuses": list, "format": str, "key": bytes, "workload": bytes}


def canonical_content(baseline: Baseline) -> bytes:
    """Return the canonical bytes of what is expected, as msgpack.

    A map with its keys in alphabetical order: ``connect``, ``exec``, ``load``, ``open``: lists of the behaviours,
    sorted by their fields, each a list of its fields, its standing, and whether a person wrote it (then its pattern
    holds for the image's own files too); ``excuses``: lists of check, reason, author and
    expiry, sorted; ``format``; ``key``; ``workload``. Text is UTF-8 with undecodable bytes as they were.
    """
    return _content_of(baseline, ordered(baseline.entries))


def _content_of(baseline: Baseline, sections: dict[str, list[Behaviour]]) -> bytes:
    """The same; ``sections``: its behaviours, ordered."""
    content: dict[str, object] = {name: _rows(baseline, part) for name, part in sections.items()}
    content |= _signed_head(baseline)
    return pack(dict(sorted(content.items())))


def _signed_head(baseline: Baseline) -> dict[str, object]:
    """What the digest covers besides behaviours."""
    return {
        "excuses": sorted([_row(fields_of(each)) for each in baseline.excuses]),
        "format": FORMAT,
        "key": _bytes(baseline.key),
        "workload": _bytes(baseline.workload),
    }


def _rows(baseline: Baseline, behaviours: list[Behaviour]) -> list[list[object]]:
    return [[*_row(fields_of(each)), *_worth(baseline.entries[each])] for each in behaviours]


def _worth(entry: Entry) -> tuple[bytes, bool]:
    return _STANDINGS[entry.standing], entry.source == REVIEWED


def _row(values: tuple[str | int, ...]) -> list[Any]:
    return [value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value for value in values]


def version_of(baseline: Baseline) -> str:
    """Return the content digest: ``sha256:`` and the hex SHA-256 of ``canonical_content``."""
    return _digest(canonical_content(baseline))


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def to_msgpack(baseline: Baseline) -> bytes:
    """Return the whole baseline, evidence included, as the bytes of a file."""
    sections = ordered(baseline.entries)
    content = _content_of(baseline, sections)
    containers = sorted(baseline.containers)
    entries = [baseline.entries[each] for part in sections.values() for each in part]
    return pack(
        {
            "format": FORMAT,
            "version": _digest(content),
            "head": pack(head_of(baseline, containers, _CODEC)),
            "content": content,
            "evidence": pack(to_columns(entries, containers)),
        }
    )


def from_msgpack(data: bytes) -> Baseline:
    """Return the baseline in ``data``.

    Raises DocumentError for anything malformed, and for content that does not have the digest it claims.
    """
    parts = _parts(data)
    content = _content(parts)
    document: dict[str, object] = {"format": FORMAT, "version": parts["version"].encode(), **_part(parts, "head")}
    evidence = from_columns(_part(parts, "evidence"), MAX_BEHAVIOURS)
    for section in _SECTIONS:
        document[section] = [
            _item(section, row, next(evidence, None), place) for place, row in enumerate(content[section])
        ]
    if next(evidence, None) is not None:
        raise DocumentError("evidence: of more behaviours than there are")
    baseline, version = from_document(document, _CODEC)
    if canonical_content(baseline) != parts["content"]:
        raise DocumentError(f"content: not the canonical form of {version}")
    return baseline


def load_head(data: bytes) -> tuple[Baseline, str, int]:
    """Return the baseline without its entries, its version, and how many entries it has.

    Raises DocumentError like ``from_msgpack``, of which it takes a hundredth of the time.
    """
    parts = _parts(data)
    content = _content(parts)
    baseline, _containers = read_head(Reader(_part(parts, "head"), "document", _CODEC))
    return baseline, parts["version"], sum(len(content[section]) for section in _SECTIONS)


def is_of_version(beginning: bytes, version: str) -> bool:
    """Whether a file that begins with ``beginning`` says it is of ``version``. Nothing in it is verified."""
    said = pack({"format": FORMAT, "version": version})
    return beginning[1:].startswith(said[1:])  # but for the number of parts


class Judging(NamedTuple):
    """What a learned baseline is judged by."""

    head: Baseline  # without its entries: those stay on disk
    matcher: Matcher
    packages_used: frozenset[str]  # see packages.packages_used


def load_matcher(data: bytes) -> Judging:
    """Return what the agent judges by.

    A tenth of the time and memory of ``from_msgpack``. Raises DocumentError like it; paths are taken as they are, for
    the digest says that they are what was written.
    """
    parts = _parts(data)
    content = _content(parts)
    head = Reader(_part(parts, "head"), "document", _CODEC)
    baseline, _containers = read_head(head)
    head.nothing_left()
    if any(content[name] != value for name, value in _signed_head(baseline).items()):
        raise DocumentError("content: not of the same key, workload and excuses as head")
    matcher, evidence, used, number = Matcher(version=parts["version"]), _part(parts, "evidence"), set(), 0
    checks, packages = checks_of(evidence), list(packages_of(evidence))
    if len(packages) != sum(len(content[section]) for section in _SECTIONS):
        raise DocumentError("evidence: not of as many behaviours as there are")
    for section in _SECTIONS:
        rows = content[section]
        _fill(matcher, section, rows, {place - number: found for place, found in checks.items()})
        used |= {package for row, package in zip(rows, packages[number:], strict=False) if row[-2] in _EXPECTED}
        number += len(rows)
    return Judging(baseline, matcher, frozenset(map(_quick_text, used - {b""})))


def _parts(data: bytes) -> dict[str, Any]:
    """The file's outer map, with the digest checked."""
    try:
        found = unpack(data, MAX_FILE, MAX_COLLECTIONS)
    except ValueError as error:
        raise DocumentError(f"not msgpack: {error}") from error
    check_format(Reader(found, "document", _CODEC))
    parts = _check_shape("document", found, _PARTS)
    if parts["version"] != _digest(parts["content"]):
        raise DocumentError("version: not the digest of the content")
    return parts


def _part(parts: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        part = unpack(parts[name], MAX_FILE, MAX_COLLECTIONS)
    except ValueError as error:
        raise DocumentError(f"{name}: not msgpack: {error}") from error
    if not isinstance(part, dict):
        raise DocumentError(f"{name}: not a mapping")
    return part


def _content(parts: dict[str, Any]) -> dict[str, Any]:
    content = _check_shape("content", _part(parts, "content"), _CONTENT)
    if sum(len(content[section]) for section in _SECTIONS) > MAX_BEHAVIOURS:
        raise DocumentError(f"content: more than {MAX_BEHAVIOURS} behaviours")
    return content


def _check_shape(place: str, value: object, shape: Mapping[str, type]) -> dict[str, Any]:
    """``value`` if it is a map of the keys and types of ``shape``."""
    if not isinstance(value, dict) or value.keys() != shape.keys():
        raise DocumentError(f"{place}: not a mapping of {', '.join(shape)}")
    for name, kind in shape.items():
        if type(value[name]) is not kind:
            raise DocumentError(f"{place}.{name}: not {kind.__name__}")
    return value


def _item(section: str, row: object, evidence: dict[str, object] | None, place: int) -> dict[str, object]:
    """One behaviour as a document has it."""
    fields = BEHAVIOUR[section]
    if not isinstance(row, list) or len(row) != len(fields) + len(_WORTH) or evidence is None:
        raise DocumentError(f"{section}[{place}]: not its fields and {', '.join(_WORTH)}, or without evidence")
    item = {
        field.name: value for field, value in zip(fields, row, strict=False) if not (field.optional and value == b"")
    }
    return item | {"standing": row[len(fields)]} | evidence


def _fill(matcher: Matcher, section: str, rows: list[Any], checks: Mapping[int, tuple[str, ...]]) -> None:
    """Put a section's behaviours where their standing says; ``checks``: by row, of those that failed any."""
    kind, readers = CLASSES[section], [_QUICK[field.form] for field in BEHAVIOUR[section]]
    apart: dict[bytes, list[Behaviour]] = {b"needs-review": [], b"rejected": []}
    for place, row in enumerate(rows):
        try:
            *fields, standing, written = row
            behaviour = kind(*[read(value) for read, value in zip(readers, fields, strict=True)])
            if standing == b"allowed":
                matcher.admit(behaviour, _quick_flag(written), checks.get(place, ()))
            elif standing == b"unconfirmed":
                matcher.expect_quietly(behaviour)
            elif standing in apart:
                apart[standing].append(behaviour)
            else:
                raise ValueError(f"standing: {shown(standing)}")
        except (TypeError, ValueError) as error:
            raise DocumentError(f"{section}[{place}]: {error}") from error
    matcher.pending |= frozenset(apart[b"needs-review"])
    matcher.rejected |= frozenset(apart[b"rejected"])


def _quick_text(value: Any) -> str:
    return str(value, "utf-8", "surrogateescape")


def _quick_pattern(value: Any) -> str:
    path = str(value, "utf-8", "surrogateescape")
    if "*" in path:
        check_width(path)
    return path


def _quick_flag(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise TypeError("neither true nor false")


_QUICK: dict[Form, Callable[[Any], Any]] = {
    Form.TEXT: _quick_text,
    Form.PATH: _quick_text,
    Form.ORIGIN: _quick_text,
    Form.ADDRESS: _quick_text,
    Form.ACCESS: _quick_text,
    Form.PATTERN: _quick_pattern,
    Form.FLAG: _quick_flag,
    Form.PORT: _read_port,
}
