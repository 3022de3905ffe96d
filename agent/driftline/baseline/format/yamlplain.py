"""YAML text → plain values, the careful way.

In: text of any origin. Out: dict, list, str, int, bool, None. Why not ``yaml.safe_load``: it follows aliases and merge
keys (a small file can grow without bound), takes the last of two equal keys, reads ``no`` as false and ``2026-01-01``
as a date, and recurses as deep as the file says. Here values are built from the parser's events. Next: ``document``.
"""

from __future__ import annotations

from typing import Any

import yaml

from driftline.baseline.format.reading import DocumentError, Placed, shown
from driftline.baseline.schema import MAX_BEHAVIOURS

MAX_DEPTH = 8
"""Levels of nesting: a baseline has four. libyaml's time grows with the square of the depth."""
MAX_KEYS = 64
"""Keys of one mapping: a baseline's document has twenty."""
MAX_VALUES = 50 * MAX_BEHAVIOURS
"""Keys and values of a document: 28 for a behaviour, and room for containers. Each takes some microseconds."""

_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}


def plain_values(text: str) -> object:
    """Return the values of the one YAML document in ``text``. Raises DocumentError naming line and column."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except (yaml.YAMLError, UnicodeError) as error:
        raise DocumentError(f"not YAML: {' '.join(str(error).split())}") from error
    return builder.result


class _Builder:
    """Builds nested values from events; ``_open`` holds the collections not ended yet, outermost first."""

    def __init__(self) -> None:
        self.result: object = None
        self._documents = 0
        self._values = 0
        self._open: list[Placed | list[object]] = []
        self._keys: list[str | None] = []  # for each open mapping the key that waits for its value

    def take(self, event: Any) -> None:
        """Take the parser's next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            mapping = isinstance(event, yaml.MappingStartEvent)
            self._start(event, Placed(_line(event)) if mapping else [])
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise _refused(event, "aliases are not allowed")
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _refused(event, "a second document")

    def _start(self, event: Any, collection: Placed | list[object]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise _refused(event, "nested too deeply")
        self._check(event)
        self._put(event, collection)
        self._open.append(collection)
        self._keys.append(None)

    def _scalar(self, event: Any) -> None:
        self._check(event)
        if self._open and isinstance(self._open[-1], Placed) and self._keys[-1] is None:
            self._key(event, self._open[-1])
        else:
            self._put(event, _value(event))

    def _key(self, event: Any, mapping: Placed) -> None:
        if event.value in mapping:
            raise _refused(event, f"key {shown(event.value)} twice")
        if len(mapping) >= MAX_KEYS:
            raise _refused(event, f"more than {MAX_KEYS} keys")
        self._keys[-1] = event.value
        if len(self._open) == 1:  # an item is a line: only the document's own keys are worth remembering
            mapping.lines[event.value] = _line(event)

    def _put(self, event: Any, value: object) -> None:
        if not self._open:
            self.result = value
            return
        parent, key = self._open[-1], self._keys[-1]
        if isinstance(parent, list):
            if len(parent) >= MAX_BEHAVIOURS:
                raise _refused(event, f"a list of more than {MAX_BEHAVIOURS}")
            parent.append(value)
        elif key is None:
            raise _refused(event, "a key must be a word")
        else:
            parent[key] = value
            self._keys[-1] = None

    def _check(self, event: Any) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _refused(event, f"more than {MAX_VALUES} values")
        if event.anchor is not None or event.tag is not None:
            raise _refused(event, "anchors and tags are not allowed")


def _value(event: Any) -> object:
    text: str = event.value
    if not event.implicit[0]:
        return text  # quoted
    if text in _WORDS:
        return _WORDS[text]
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    return text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _refused(event: Any, reason: str) -> DocumentError:
    mark = event.start_mark
    return DocumentError(f"line {mark.line + 1}, column {mark.column + 1}: {reason}")
