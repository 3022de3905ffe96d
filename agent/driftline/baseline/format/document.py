"""Baseline ↔ document: plain dicts and lists, the same for every format, checked field by field on the way back.

In: a ``Baseline``, or a document somebody may have tampered with. Out: the other. Why apart: one place knows what the
fields mean, the file formats only differ in how they write text, times and ports (``Codec``). Next: ``canonical``,
``yamltext``, ``jsontext``.
"""

from __future__ import annotations

from typing import Any

from driftline.baseline.format.fields import (
    BEHAVIOUR,
    CLASSES,
    CONTAINERS,
    EVIDENCE,
    EXCUSE,
    EXCUSES,
    HEAD,
    PACKAGES,
    REVIEW,
    REVIEWS,
    Field,
    Form,
)
from driftline.baseline.format.reading import Codec, DocumentError, Reader, shown
from driftline.baseline.patterns.networks import parse_network
from driftline.baseline.patterns.pattern import PatternError, check_steps, check_width
from driftline.baseline.schema import (
    FORMAT,
    MAX_BEHAVIOURS,
    REVIEWED,
    SOURCES,
    Baseline,
    Entry,
    Excuse,
    Review,
    Standing,
    State,
    fields_of,
    ordered,
)
from driftline.nouns import Behaviour, Origin

Document = dict[str, Any]
_ORIGINS = frozenset(Origin) - {Origin.IMAGE}


def to_document(baseline: Baseline, version: str, codec: Codec) -> Document:
    """Return ``baseline`` as plain values, everything sorted; optional fields that say nothing are left out."""
    containers = sorted(baseline.containers)
    places = {container: place for place, container in enumerate(containers)}
    sections = ordered(baseline.entries)
    document: Document = {"format": FORMAT, "version": version, **head_of(baseline, containers, codec)}
    last = {field.name: document.pop(field.name) for field in (REVIEWS, PACKAGES) if field.name in document}
    for name in CLASSES:
        document[name] = [_item(name, each, baseline.entries[each], places, codec) for each in sections[name]]
    return document | last


def head_of(baseline: Baseline, containers: list[str], codec: Codec) -> Document:
    """Return all of a document but its format, version and behaviours."""
    document = _written(HEAD, [getattr(baseline, field.name) for field in HEAD], codec)
    document |= _written((CONTAINERS, PACKAGES), (containers, baseline.packages), codec)
    document |= _records(EXCUSES, EXCUSE, baseline.excuses, codec)
    return document | _records(REVIEWS, REVIEW, baseline.reviews, codec)


def _item(section: str, behaviour: Behaviour, entry: Entry, places: dict[str, int], codec: Codec) -> Document:
    evidence = (
        entry.standing,
        entry.checks,
        entry.source,
        entry.package,
        entry.first_ns,
        entry.last_ns,
        entry.count,
        sorted([places[container] for container in entry.containers]),
        entry.examples,
    )
    return _written(BEHAVIOUR[section], fields_of(behaviour), codec) | _written(EVIDENCE, evidence, codec)


def _records(field: Field, parts: tuple[Field, ...], records: tuple[Any, ...], codec: Codec) -> Document:
    return {field.name: [_written(parts, fields_of(each), codec) for each in records]} if records else {}


def _written(table: tuple[Field, ...], values: Any, codec: Codec) -> Document:
    written: Document = {}
    for field, value in zip(table, values, strict=True):
        if field.optional and (not value or value is Standing.ALLOWED):
            continue
        written[field.name] = _plain(field.form, value, codec)
    return written


def _plain(form: Form, value: Any, codec: Codec) -> object:
    if form is Form.TIME:
        return codec.time(value)
    if form is Form.PORT:
        return codec.port(value)
    if form is Form.TEXTS:
        return [codec.text(each) for each in value]
    return codec.text(str(value)) if isinstance(value, str) else value


def from_document(document: object, codec: Codec) -> tuple[Baseline, str]:
    """Return the baseline in ``document`` and the version it claims. Raises DocumentError for anything else."""
    reader = Reader(document, "document", codec)
    check_format(reader)
    version = reader.text("version")
    baseline, containers = read_head(reader)
    for section in CLASSES:
        items = reader.items(section, MAX_BEHAVIOURS)
        for place, item in enumerate(items):
            _read_item(Reader(item, f"{section}[{place}]", codec), section, containers, baseline.entries)
    reader.nothing_left()
    if len(baseline.entries) > MAX_BEHAVIOURS:
        raise DocumentError(f"document: {len(baseline.entries)} behaviours, at most {MAX_BEHAVIOURS} allowed")
    return baseline, version


def check_format(reader: Reader) -> None:
    """Refuse other formats, before anything else is said about them."""
    found = reader.take("format")
    if found != FORMAT:
        reader.fail("format", f"{shown(found)} is not {FORMAT!r}: no baseline, or one of another version of Driftline")


def read_head(reader: Reader) -> tuple[Baseline, tuple[str, ...]]:
    """Return the baseline without entries, and the document's list of containers."""
    values = {field.name: _read(reader, field, ()) for field in HEAD}
    containers = reader.texts(CONTAINERS.name, CONTAINERS.limit)
    excuses = [Excuse(*each) for each in _read_records(reader, EXCUSES, EXCUSE)]
    reviews = [Review(*each) for each in _read_records(reader, REVIEWS, REVIEW)]
    values["excuses"] = tuple(sorted(excuses, key=fields_of))
    return Baseline(**values, reviews=tuple(reviews), packages=_read(reader, PACKAGES, ())), containers


def _read_records(reader: Reader, field: Field, parts: tuple[Field, ...]) -> list[list[Any]]:
    records = []
    for place, item in enumerate(reader.items(field.name, field.limit) if reader.has(field.name) else ()):
        each = Reader(item, f"{field.name}[{place}]", reader.codec)
        records.append([_read(each, part, ()) for part in parts])
        each.nothing_left()
    return records


def _read_item(reader: Reader, section: str, containers: tuple[str, ...], entries: dict[Behaviour, Entry]) -> None:
    behaviour = CLASSES[section](*[_read(reader, field, containers) for field in BEHAVIOUR[section]])
    if behaviour in entries:
        reader.fail("", "a second entry for the same behaviour")
    standing, checks, source, package, first, last, count, seen_in, examples = [
        _read(reader, field, containers) for field in EVIDENCE
    ]
    reader.nothing_left()
    entries[behaviour] = Entry(source, first, last, count, seen_in, standing, checks, examples, package)


def _read(reader: Reader, field: Field, containers: tuple[str, ...]) -> Any:
    """One field's value; the table says what it must be."""
    name, form = field.name, field.form
    if field.optional and not reader.has(name):
        return _ABSENT.get(form, "")
    if form is Form.TEXTS:
        texts = reader.texts(name, field.limit)
        return tuple(sorted(set(texts))) if field.ordered else texts
    if form is Form.PLACES:
        return reader.places(name, field.limit, containers)
    return _READERS[form](reader, name)


def _read_source(reader: Reader, name: str) -> str:
    source = reader.text(name)
    if source not in SOURCES:
        reader.fail(name, f"{shown(source)} is none of {', '.join(sorted(SOURCES))}")
    return source


def _read_access(reader: Reader, name: str) -> str:
    access = reader.text(name)
    if access not in {"read", "write"}:
        reader.fail(name, "neither read nor write")
    return access


def _read_origin(reader: Reader, name: str) -> str:
    origin = reader.text(name)
    if origin not in _ORIGINS:
        reader.fail(name, f"{shown(origin)} is none of {', '.join(sorted(_ORIGINS))}")
    return origin


def _read_path(reader: Reader, name: str) -> str:
    path = reader.text(name)
    if reader.codec.strict:
        try:
            check_steps(path)
        except PatternError as error:
            reader.fail(name, str(error))
    return path


def _read_pattern(reader: Reader, name: str) -> str:
    path = _read_path(reader, name)
    try:
        check_width(path)
    except PatternError as error:
        reader.fail(name, str(error))
    return path


def _read_address(reader: Reader, name: str) -> str:
    address = reader.text(name)
    network = parse_network(address) if "/" in address else None
    if network is not None:
        bits, prefix, value = network
        if not prefix:
            reader.fail(name, "it would match every address")
        if value & ((1 << (bits - prefix)) - 1):
            reader.fail(name, f"bits set after the first {prefix}: write the network's own address")
    return address


_ABSENT: dict[Form, object] = {
    Form.STANDING: Standing.ALLOWED,
    Form.SOURCE: REVIEWED,
    Form.TEXTS: (),
    Form.TIME: 0,
    Form.NUMBER: 0,
    Form.PLACES: frozenset(),
}
_READERS: dict[Form, Any] = {
    Form.TEXT: Reader.text,
    Form.PATH: _read_path,
    Form.PATTERN: _read_pattern,
    Form.ACCESS: _read_access,
    Form.ORIGIN: _read_origin,
    Form.ADDRESS: _read_address,
    Form.PORT: Reader.port,
    Form.FLAG: Reader.flag,
    Form.NUMBER: Reader.number,
    Form.TIME: Reader.time,
    Form.STATE: lambda reader, name: reader.choice(name, State),
    Form.STANDING: lambda reader, name: reader.choice(name, Standing),
    Form.SOURCE: _read_source,
}
