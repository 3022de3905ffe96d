"""A JSON document somebody else wrote, read within bounds.

In: a file. Out: plain Python values; or an InventoryError that names the file and the place. Why more than
``json.load``: ten megabytes of brackets become a gigabyte of lists, a thousand nested ones end the interpreter's stack,
and a key that is there twice means one thing to us and another to the tool that signed it. Source of the rules: RFC
8259, RFC 7493 (I-JSON: unique keys). Next: ``sbom`` tells the format.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from driftline.baseline.inventory.schema import InventoryError
from driftline.text import escape

MAX_DOCUMENT = 64 * 1024 * 1024
"""Bytes of a document: Syft's JSON of the largest images, files included, is some 50 MiB."""
MAX_CONTAINERS = 2_000_000
"""Objects and lists in it: at most 240 bytes of memory each. Syft writes six per file."""
MAX_VALUES = 8_000_000
"""Values in it."""
_SMALLER = "make it of one image, without files"

_TOKEN = re.compile(r"\"[^\"\\]*(?:\\.[^\"\\]*)*\"|[{}\[\]:,]", re.DOTALL)


class _TwiceError(ValueError):
    """A key is there twice in one object."""


def read_file(path: Path) -> bytes:
    """Return the bytes of the regular file ``path``. Raises InventoryError: it cannot be read, or is too large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            data = file.read(MAX_DOCUMENT + 1)
    except OSError as error:
        raise InventoryError(f"{path} cannot be read: {error.strerror}", "name a file that is there") from error
    if len(data) > MAX_DOCUMENT:
        raise InventoryError(f"{path}: over {MAX_DOCUMENT} bytes", _SMALLER)
    return data


def parse_json(data: bytes, source: str) -> Any:
    """Return the values in ``data``; ``source`` is what errors call it. Raises InventoryError."""
    if data.count(b"{") + data.count(b"[") > MAX_CONTAINERS or data.count(b",") > MAX_VALUES:
        raise InventoryError(f"{source}: over {MAX_CONTAINERS} objects and lists, or {MAX_VALUES} values", _SMALLER)
    text = _text(data, source)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except _TwiceError as error:
        place = _second_place(text)
        raise InventoryError(f"{source}: {place}: the key is there twice", "ask its maker for a valid one") from error
    except RecursionError as error:
        raise InventoryError(f"{source}: {_deep_place(text)}: nested too deeply to be an SBOM") from error
    except MemoryError as error:
        raise InventoryError(f"{source}: needs more memory than is allowed", _SMALLER) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InventoryError(f"{source}: {place}: {error.msg}", "it is no JSON: was it cut off?") from error
    except ValueError as error:  # a number with thousands of digits
        raise InventoryError(f"{source}: {error}") from error


def _text(data: bytes, source: str) -> str:
    """The text, whatever Unicode encoding its first bytes show (RFC 4627, 3): PowerShell writes UTF-16."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InventoryError(f"{source}: byte {error.start}: not {encoding}", "it is no JSON text") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError
    return found


class _Level:
    """One open object or list on the way through the text."""

    __slots__ = ("count", "key", "keys")

    def __init__(self, is_object: bool) -> None:
        self.keys: set[str] | None = set() if is_object else None
        self.count = 0
        self.key = ""


def _printed(levels: list[_Level]) -> str:
    """``components[3].name``: where we are, at most the outer twelve levels."""
    parts = [f"[{level.count}]" if level.keys is None else f".{level.key[:40]}" for level in levels[:12]]
    return escape("".join(parts).removeprefix(".")) + ("…" if len(levels) > 12 else "")


def _second_place(text: str) -> str:
    """Where the first key stands that its object already has. Only called when there is one: it is slow."""
    levels: list[_Level] = []
    expects_key = False
    for match in _TOKEN.finditer(text):
        token = match.group()
        if expects_key and token[0] == '"':
            level = levels[-1]
            level.key, expects_key = json.loads(token), False
            assert level.keys is not None, "only an object expects a key"
            if level.key in level.keys:
                return f"{_printed(levels)} (line {text.count(chr(10), 0, match.start()) + 1})"
            level.keys.add(level.key)
            continue
        expects_key = _step(levels, token)
    return "somewhere"


def _step(levels: list[_Level], token: str) -> bool:
    """Follow one token; return whether a key comes next."""
    if token in "{[":
        levels.append(_Level(token == "{"))
        return token == "{"
    if token in "}]" and levels:
        levels.pop()
    elif token == "," and levels:
        levels[-1].count += 1
        return levels[-1].keys is not None
    return False


def _deep_place(text: str) -> str:
    """The path to where the nesting passes twelve levels of more than five hundred."""
    levels: list[_Level] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token[0] == '"':
            if levels and levels[-1].keys is not None:
                levels[-1].key = token[1:40]
            continue
        _step(levels, token)
        if len(levels) > 500:
            return _printed(levels)
    return "somewhere"
