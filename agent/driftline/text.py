"""Text for people. Hostile text made safe: names from containers may hold any byte but NUL.

In: ``str`` decoded with surrogateescape. Out: printable text, reversible. Why: terminal escapes, bidirectional
overrides and invalid UTF-8 must reach neither terminal, YAML, protobuf nor web page.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile(r"\\(?:\\|x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\})")
_PLAIN = re.compile(r"[ !-\[\]-~]*")  # printable ASCII without backslash: the common case, one C call


def escape(text: str) -> str:
    """Return printable text for ``text``.

    Backslash doubles; undecodable bytes (lone surrogates DC80-DCFF) and ASCII control characters become ``\\xNN``;
    other control, format, private, surrogate and separator characters, and spaces other than the plain one, become
    ``\\u{…}``. ``unescape`` reverses it.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(map(_escape_char, text))


def _escape_char(char: str) -> str:
    code = ord(char)
    if char == "\\":
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if char != " " and unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Zs"}:
        return f"\\u{{{code:x}}}"
    return char


def unescape(text: str) -> str:
    """Reverse ``escape``. Raises ValueError for a backslash that ``escape`` would not have written."""
    position, parts = 0, []
    while (index := text.find("\\", position)) >= 0:
        match = _ESCAPE.match(text, index)
        if match is None:
            raise ValueError(f"malformed escape at offset {index}")
        parts.append(text[position:index])
        byte, point = match.groups()
        if byte is not None:
            value = int(byte, 16)
            parts.append(chr(value if value < 0x80 else 0xDC00 + value))
        elif point is not None:
            if int(point, 16) > 0x10FFFF:
                raise ValueError(f"malformed escape at offset {index}")
            parts.append(chr(int(point, 16)))
        else:
            parts.append("\\")
        position = match.end()
    parts.append(text[position:])
    return "".join(parts)


def plural(count: int, noun: str) -> str:
    """Return ``1 behaviour``, ``2 behaviours``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
