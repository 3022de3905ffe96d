"""A silence as one line for a terminal.

In: a ``Silence`` message. Out: text, every part of it printable whoever wrote the message. Next: ``tail`` shows it in
its header, ``silence`` lists it.
"""

from __future__ import annotations

from datetime import datetime

from driftline.cli.render import grouped
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.matchers import shown


def silence_line(silence: pb.Silence) -> str:
    """Return what a tail's header says of a silence in force."""
    matchers = " ".join(map(shown, silence.matchers))
    until = f"until {local_minute(silence.expires_wall_ns)}"
    why = f"{silence.id}: {matchers}; {_text(silence.reason)}; {until}"
    return f"silenced: {grouped(silence.hidden)} by {who(silence)} ({why})"


def who(silence: pb.Silence) -> str:
    """Return the author, and who that proved to be where that is known."""
    proved = f" as {_text(silence.made_by)}" if silence.made_by else ""
    return f"{_text(silence.author)}{proved}"


def local_minute(wall_ns: int) -> str:
    """Return Unix nanoseconds as local date and minute."""
    try:
        return f"{datetime.fromtimestamp(wall_ns // 1_000_000_000):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "????-??-??"


def _text(text: str) -> str:
    return text if text.isprintable() else escape(text)
