"""How the text formats, YAML and JSON, write values: names escaped, times in RFC 3339, ports as numbers or a word.

In: text, times, ports. Out: what stands in the file, and back. Why shared: one document in two notations. Next:
``yamltext``, ``jsontext``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from driftline.baseline.format.reading import MAX_NUMBER, Codec
from driftline.nouns import EPHEMERAL
from driftline.text import escape, unescape

EPHEMERAL_WORD = "ephemeral"
MAX_PLAIN_FILE = 64 * 1024 * 1024
"""Characters of a text file read: 100 000 behaviours take about 40 million."""
_SECOND = 1_000_000_000


def _write_time(time_ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds, nothing rounded."""
    seconds, rest = divmod(min(time_ns, MAX_NUMBER), _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _read_time(value: Any) -> int:
    if not isinstance(value, str) or len(value) != 30 or value[19] != "." or value[29] != "Z":
        raise ValueError("not YYYY-MM-DDTHH:MM:SS.NNNNNNNNNZ")
    seconds = datetime.fromisoformat(value[:19]).replace(tzinfo=UTC).timestamp()
    return int(seconds) * _SECOND + int(value[20:29])


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("quote it")
    if not value.isprintable():
        raise ValueError("it holds characters that cannot be printed: write them as \\xNN or \\u{N}")
    return unescape(value) if "\\" in value else value


def _write_port(port: int) -> object:
    return EPHEMERAL_WORD if port == EPHEMERAL else port


def _read_port(value: Any) -> int:
    if value == EPHEMERAL_WORD:
        return EPHEMERAL
    if type(value) is not int or not 0 <= value <= 65_535:
        raise ValueError("no port")
    return value


CODEC = Codec(escape, _write_time, _write_port, _read_text, _read_time, _read_port, strict=True)
