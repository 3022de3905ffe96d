"""Taking typed values out of a document nobody vouches for.

In: plain values. Out: text, numbers, times, lists, each checked. Every complaint names the place (``open[3].path``)
and, where the parser knows it, the line. Next: ``document``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn, TypeVar

MAX_TEXT = 4_096 * 8
"""Characters of one text: the kernel's longest path, with every byte escaped to eight characters."""
MAX_NUMBER = 2**63 - 1
"""Counts and times: what msgpack, SQLite and protobuf all hold."""
MAX_SHOWN = 60
"""Characters of a wrong value repeated in a complaint."""

_Choice = TypeVar("_Choice", bound=StrEnum)


class DocumentError(ValueError):
    """A document is no baseline; the message names the place in it (``exec[3].count``)."""


class Codec(NamedTuple):
    """How one file format writes text, Unix times in ns, and ports; the readers raise ValueError or TypeError.

    ``strict``: people write this format, so that paths with ``..`` are refused. The agent's own file may hold one a
    program named itself (io_uring), and must never become unreadable for it.
    """

    text: Callable[[str], object]
    time: Callable[[int], object]
    port: Callable[[int], object]
    read_text: Callable[[Any], str]
    read_time: Callable[[Any], int]
    read_port: Callable[[Any], int]
    strict: bool


class Placed(dict[str, object]):
    """A mapping that knows where its text stood: its own line, and that of each key."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        self.line = line
        self.lines: dict[str, int] = {}


def shown(value: object) -> str:
    """A wrong value, safe and short enough for a message."""
    text = ascii(value) if isinstance(value, (str, bytes, int, float, type(None))) else type(value).__name__
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


class Reader:
    """Takes values out of one mapping. Every method raises DocumentError for what is wrong or missing."""

    __slots__ = ("_left", "_line", "_lines", "codec", "place")

    def __init__(self, value: object, place: str, codec: Codec) -> None:
        if not isinstance(value, dict):
            raise DocumentError(f"{place}: not a mapping")
        self._left = dict(value)
        self._line = value.line if isinstance(value, Placed) else 0
        self._lines = value.lines if isinstance(value, Placed) else {}
        self.codec = codec
        self.place = place

    def fail(self, name: str, problem: str) -> NoReturn:
        """Raise DocumentError about the field ``name`` (empty: the mapping itself)."""
        line = self._lines.get(name, self._line)
        where = f"{self.place}.{name}" if name else self.place
        raise DocumentError(f"{where}: {problem}{f' (line {line})' if line else ''}")

    def take(self, name: str) -> object:
        """The raw value of a field that must be there."""
        if name not in self._left:
            self.fail(name, "missing")
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        """Whether the field is there and not taken yet."""
        return name in self._left

    def nothing_left(self) -> None:
        """Refuse fields nobody took."""
        for name in self._left:
            self.fail("", f"unknown field {shown(name)}")

    def text(self, name: str) -> str:
        """Text, at most MAX_TEXT characters."""
        return self._text(self.take(name), name)

    def _text(self, value: object, name: str) -> str:
        try:
            text = self.codec.read_text(value)
            if not text.isascii():
                text.encode("utf-8", "surrogateescape")
        except (ValueError, TypeError) as error:
            self.fail(name, f"not text ({error})")
        if len(text) > MAX_TEXT:
            self.fail(name, f"{len(text)} characters, at most {MAX_TEXT} allowed")
        return text

    def choice(self, name: str, choices: type[_Choice]) -> _Choice:
        """A member of ``choices``, by its value."""
        text = self.text(name)
        try:
            return choices(text)
        except ValueError:
            self.fail(name, f"{shown(text)} is none of {', '.join(choices)}")

    def time(self, name: str) -> int:
        """A Unix time in ns."""
        try:
            return self._number(self.codec.read_time(self.take(name)), name)
        except (ValueError, TypeError, OverflowError) as error:
            if isinstance(error, DocumentError):
                raise
            self.fail(name, f"not a time ({error})")

    def port(self, name: str) -> int:
        """A port, or EPHEMERAL."""
        value = self.take(name)
        try:
            return self.codec.read_port(value)
        except (ValueError, TypeError):
            self.fail(name, f"{shown(value)} is no port")

    def number(self, name: str) -> int:
        """A number from 0 to MAX_NUMBER."""
        return self._number(self.take(name), name)

    def _number(self, value: object, name: str) -> int:
        if type(value) is not int or not 0 <= value <= MAX_NUMBER:
            self.fail(name, "not a number from 0 to 2^63-1")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.take(name)
        if not isinstance(value, bool):
            self.fail(name, "neither true nor false")
        return value

    def items(self, name: str, limit: int) -> list[object]:
        """A list of at most ``limit``."""
        value = self.take(name)
        if not isinstance(value, list):
            self.fail(name, "not a list")
        if len(value) > limit:
            self.fail(name, f"a list of {len(value)}, at most {limit} allowed")
        return value

    def texts(self, name: str, limit: int) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self._text(value, name) for value in self.items(name, limit))

    def places(self, name: str, limit: int, containers: tuple[str, ...]) -> frozenset[str]:
        """Containers given as indexes into the document's list."""
        places = [self._number(value, name) for value in self.items(name, limit)]
        if any(place >= len(containers) for place in places):
            self.fail(name, "no such container")
        return frozenset([containers[place] for place in places])
