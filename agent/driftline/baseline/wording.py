"""A behaviour as one line of text, and as a short id: what a person reads, copies and selects by.

In: a behaviour. Out: printable text, the same for the same behaviour and for no other; eight hexadecimal digits of its
digest. Why no running number: between looking and approving the baseline may have learned more, and number 7 would be
another one. Next: ``decisions`` finds behaviours by them, ``driftline baseline`` prints them.
"""

from __future__ import annotations

import hashlib

from driftline.baseline.schema import fields_of, section_of
from driftline.nouns import EPHEMERAL, Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour
from driftline.text import escape

ID_DIGITS = 8
"""Shown of an id. Among 10 000 behaviours two that are equal by chance are one in a hundred baselines, and told."""

MAX_LINE = 400
"""Characters of a behaviour's text on a terminal: its path can have 4 096 bytes, each escaped to ten characters."""

_NEEDS_QUOTES = frozenset(" \"'")


def text_of(behaviour: Behaviour) -> str:
    """Return ``behaviour`` as text, printable whatever its paths hold: ``exec /usr/bin/id as id by /bin/sh``."""
    match behaviour:
        case ExecBehaviour(path, invoked, by, entered, origin):
            whom = word(by) if by else "the runtime"
            return f"exec {word(path)} as {word(invoked)} by {whom}{', entered' if entered else ''}{_from(origin)}"
        case OpenBehaviour(path, access):
            return f"{access} {word(path)}"
        case LoadBehaviour(path, origin):
            return f"load {word(path)}{_from(origin)}"
        case ConnectBehaviour(protocol, address, port):
            return f"connect {word(protocol)} {word(address)}{_port(behaviour, port)}"


def _port(behaviour: ConnectBehaviour, port: int) -> str:
    if behaviour.protocol == "unix":
        return f" port {port}" if port else ""
    return " port ephemeral" if port == EPHEMERAL else f" port {port}"


def _from(origin: str) -> str:
    return f", from {word(origin)}" if origin else ""


def word(text: str) -> str:
    """Return ``text`` escaped, in quotes if it is empty or could be taken for more than one word."""
    escaped = escape(text)
    if escaped and not _NEEDS_QUOTES.intersection(escaped) and not escaped.endswith(","):
        return escaped
    return '"' + escaped.replace('"', '\\"') + '"'


def shortened(text: str) -> str:
    """Return ``text`` with its middle left out if it is long: both ends of a path say the most."""
    if len(text) <= MAX_LINE:
        return text
    return f"{text[: MAX_LINE // 2]} …({len(text) - MAX_LINE} more characters)… {text[-MAX_LINE // 2 :]}"


def id_of(behaviour: Behaviour) -> str:
    """Return the hexadecimal digest ``behaviour`` is selected by; the first ``ID_DIGITS`` are enough to show."""
    fields = [section_of(behaviour), *(str(value) for value in fields_of(behaviour))]
    return hashlib.sha256("\0".join(fields).encode("utf-8", "surrogatepass")).hexdigest()
