"""Baseline ↔ document: plain dicts and lists, the same for YAML and msgpack, checked field by field on the way back.

In: a ``Baseline``, or a document somebody may have tampered with. Out: the other. Why apart: one place knows the fields
and their bounds, the two file formats only differ in how they write text and times (``Codec``). Next: ``canonical``,
``yamltext``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from driftline.baseline.schema import (
    FORMAT,
    MAX_BEHAVIOURS,
    MAX_CONTAINERS,
    MAX_PARTIAL,
    Baseline,
    Entry,
    State,
    fields_of,
    ordered,
)
from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour

MAX_TEXT = 4_096 * 8
"""Characters of one text: the kernel's longest path, with every byte escaped to eight characters."""
MAX_NUMBER = 2**63 - 1
"""Counts and times: what msgpack, SQLite and protobuf all hold."""

Document = dict[str, Any]


class Codec(NamedTuple):
    """How one file format writes text and Unix times in ns; the readers raise ValueError or TypeError."""

    text: Callable[[str], object]
    time: Callable[[int], object]
    read_text: Callable[[Any], str]
    read_time: Callable[[Any], int]


class DocumentError(ValueError):
    """A document is no baseline; the message names the place in it (``exec[3].count``)."""


_CLASSES: dict[str, type[Behaviour]] = {
    "exec": ExecBehaviour,
    "open": OpenBehaviour,
    "load": LoadBehaviour,
    "connect": ConnectBehaviour,
}


def to_document(baseline: Baseline, version: str, codec: Codec) -> Document:
    """Return ``baseline`` as plain values, everything sorted."""
    containers = sorted(baseline.containers)
    places = {container: place for place, container in enumerate(containers)}
    document: Document = {
        "format": FORMAT,
        "version": version,
        "key": codec.text(baseline.key),
        "image": codec.text(baseline.image),
        "state": baseline.state.value,
        "partial": [codec.text(reason) for reason in baseline.partial],
        "losses": baseline.losses,
        "elapsed_ns": baseline.elapsed_ns,
        "quiet_ns": baseline.quiet_ns,
        "containers": [codec.text(container) for container in containers],
    }
    sections = ordered(baseline.entries)
    for name in _CLASSES:
        document[name] = [_item(each, baseline.entries[each], places, codec) for each in sections[name]]
    return document


def _item(behaviour: Behaviour, entry: Entry, places: dict[str, int], codec: Codec) -> Document:
    values = zip(type(behaviour).__slots__, fields_of(behaviour), strict=True)
    item: Document = {name: codec.text(value) if isinstance(value, str) else value for name, value in values}
    item["source"] = codec.text(entry.source)
    item["first"] = codec.time(entry.first_ns)
    item["last"] = codec.time(entry.last_ns)
    item["count"] = entry.count
    item["containers"] = sorted(places[container] for container in entry.containers)
    return item


def from_document(document: object, codec: Codec) -> tuple[Baseline, str]:
    """Return the baseline in ``document`` and the version it claims. Raises DocumentError for anything else."""
    reader = _Reader(document, "document", codec)
    if reader.take("format") != FORMAT:
        raise DocumentError(f"format: not {FORMAT!r}")
    version = reader.text("version")
    baseline = Baseline(
        key=reader.text("key"),
        image=reader.text("image"),
        state=_state(reader.take("state")),
        partial=tuple(sorted(set(reader.texts("partial", MAX_PARTIAL)))),
        losses=reader.number("losses"),
        elapsed_ns=reader.number("elapsed_ns"),
        quiet_ns=reader.number("quiet_ns"),
    )
    containers = reader.texts("containers", MAX_CONTAINERS + 1)
    for section, kind in _CLASSES.items():
        for place, item in enumerate(reader.items(section, MAX_BEHAVIOURS)):
            _read_item(_Reader(item, f"{section}[{place}]", codec), kind, containers, baseline.entries)
    reader.nothing_left()
    if len(baseline.entries) > MAX_BEHAVIOURS:
        raise DocumentError(f"{len(baseline.entries)} behaviours, at most {MAX_BEHAVIOURS} allowed")
    return baseline, version


def _state(value: object) -> State:
    try:
        return State(str(value))
    except ValueError:
        raise DocumentError(f"state: {value!r} is none of {', '.join(State)}") from None


def _read_item(reader: _Reader, kind: type[Behaviour], containers: list[str], entries: dict[Behaviour, Entry]) -> None:
    behaviour = _read_behaviour(reader, kind)
    if behaviour in entries:
        raise DocumentError(f"{reader.place}: a second entry for the same behaviour")
    entries[behaviour] = Entry(
        source=reader.text("source"),
        first_ns=reader.time("first"),
        last_ns=reader.time("last"),
        count=reader.number("count"),
        containers=reader.places("containers", containers),
    )
    reader.nothing_left()


def _read_behaviour(reader: _Reader, kind: type[Behaviour]) -> Behaviour:
    if kind is ExecBehaviour:
        return ExecBehaviour(reader.text("path"), reader.text("invoked"), reader.text("by"), reader.flag("entered"))
    if kind is OpenBehaviour:
        path, access = reader.text("path"), reader.text("access")
        if access not in {"read", "write"}:
            raise DocumentError(f"{reader.place}.access: neither read nor write")
        return OpenBehaviour(path, access)
    if kind is LoadBehaviour:
        return LoadBehaviour(reader.text("path"))
    port = reader.number("port")
    if port > 65_535:
        raise DocumentError(f"{reader.place}.port: {port} is no port")
    return ConnectBehaviour(reader.text("protocol"), reader.text("address"), port)


class _Reader:
    """Takes typed values out of one dict of a document; every complaint names the place."""

    def __init__(self, value: object, place: str, codec: Codec) -> None:
        if not isinstance(value, dict):
            raise DocumentError(f"{place}: not a mapping")
        self._left = dict(value)
        self._codec = codec
        self.place = place

    def take(self, name: str) -> object:
        if name not in self._left:
            raise DocumentError(f"{self.place}.{name}: missing")
        return self._left.pop(name)

    def nothing_left(self) -> None:
        if self._left:
            raise DocumentError(f"{self.place}: unknown field {next(iter(self._left))!r}")

    def text(self, name: str) -> str:
        return self._text(self.take(name), name)

    def _text(self, value: object, name: str) -> str:
        try:
            text = self._codec.read_text(value)
            text.encode("utf-8", "surrogateescape")
        except (ValueError, TypeError) as error:
            raise DocumentError(f"{self.place}.{name}: not text ({error})") from None
        if len(text) > MAX_TEXT:
            raise DocumentError(f"{self.place}.{name}: {len(text)} characters, at most {MAX_TEXT} allowed")
        return text

    def time(self, name: str) -> int:
        try:
            return self._number(self._codec.read_time(self.take(name)), name)
        except (ValueError, TypeError, OverflowError) as error:
            raise DocumentError(f"{self.place}.{name}: not a time ({error})") from None

    def number(self, name: str) -> int:
        return self._number(self.take(name), name)

    def _number(self, value: object, name: str) -> int:
        if type(value) is not int or not 0 <= value <= MAX_NUMBER:
            raise DocumentError(f"{self.place}.{name}: not a number from 0 to 2^63-1")
        return value

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise DocumentError(f"{self.place}.{name}: neither true nor false")
        return value

    def items(self, name: str, limit: int) -> list[object]:
        value = self.take(name)
        if not isinstance(value, list) or len(value) > limit:
            raise DocumentError(f"{self.place}.{name}: not a list of at most {limit}")
        return value

    def texts(self, name: str, limit: int) -> list[str]:
        return [self._text(value, name) for value in self.items(name, limit)]

    def places(self, name: str, containers: list[str]) -> frozenset[str]:
        """Containers given as indexes into the document's list."""
        places = [self._number(value, name) for value in self.items(name, len(containers))]
        if any(place >= len(containers) for place in places):
            raise DocumentError(f"{self.place}.{name}: no such container")
        return frozenset(containers[place] for place in places)
