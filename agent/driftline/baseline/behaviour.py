"""Event → behaviour: what of an event is the same the next time.

In: a decoded event and its container's surroundings. Out: the ``Behaviour`` a baseline would hold, None for what is
never worth judging. Why here: learning and judging must generalise alike. Next: ``learning`` and ``matching``.

An opened path becomes a pattern (``tokens``), an address what it stands for (``addresses``); both by the event and its
surroundings alone, so the order of events never matters. What takes many events to see is ``folding``'s.
"""

from __future__ import annotations

import sys

from driftline.baseline.applet import invoked_name
from driftline.baseline.patterns.addresses import NOTHING_KNOWN, Surroundings, peer_of
from driftline.baseline.patterns.pattern import is_pattern, literal
from driftline.baseline.patterns.tokens import canonical
from driftline.nouns import (
    Access,
    Behaviour,
    ConnectBehaviour,
    ConnectEvent,
    Event,
    ExecBehaviour,
    ExecEvent,
    File,
    LoadBehaviour,
    LoadEvent,
    OpenBehaviour,
    OpenEvent,
    Origin,
    RecordFlag,
)

WRITE_BITS = int(Access.WRITE | Access.CREATE | Access.TRUNCATE | Access.APPEND)
_ENTERED = int(RecordFlag.ENTERED)
_PSEUDO = Origin.PSEUDO

_SHIPPED = frozenset({Origin.IMAGE, Origin.COPYUP})
"""Origins whose files have the names the image gave them: no part of such a name is made anew each time."""
_OF_IMAGE = frozenset({Origin.IMAGE, Origin.ROOTFS, Origin.COPYUP, Origin.UNKNOWN})
"""Origins of code that count as the image's: nothing says it is not. A copy-up is compared with the image's file
before it is judged; whoever found a difference passes the event with ``Origin.WRITABLE``."""

# Devices every program may use: they hold nothing and lead nowhere.
_PLAIN_DEVICES = frozenset(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx"))


def behaviour_of(event: Event, surroundings: Surroundings = NOTHING_KNOWN) -> Behaviour | None:
    """Return the behaviour of ``event``; ``surroundings``: of its container, and the names of a connect's address.

    A read-write open is a "write": the stronger of the two, and a baseline that knows the write expects the read.
    None: the open of a plain device (``/dev/null``…), or an event without behaviour.
    """
    if isinstance(event, OpenEvent):
        if event.file.origin is _PSEUDO and is_plain_device(event.file.path):
            return None
        path = sys.intern(open_pattern(event.file))  # a hundred images learn libc's name at a time
        return OpenBehaviour(path, "write" if event.access & WRITE_BITS else "read")
    if isinstance(event, ExecEvent):
        entered, origin = bool(event.flags & _ENTERED), foreign_origin(event.file)
        return ExecBehaviour(event.file.path, invoked_name(event), event.by_path, entered, origin)
    if isinstance(event, LoadEvent):
        return LoadBehaviour(event.file.path, foreign_origin(event.file))
    if isinstance(event, ConnectEvent):
        return ConnectBehaviour(event.protocol, peer_of(event, surroundings), event.port)
    return None


def example_of(event: Event, behaviour: Behaviour) -> str:
    """Return the path ``behaviour`` was generalised from, "" if nothing was."""
    if not isinstance(event, OpenEvent) or not isinstance(behaviour, OpenBehaviour):
        return ""
    path = event.file.path
    return path if behaviour.path != path and is_pattern(behaviour.path) else ""


def is_plain_device(path: str) -> bool:
    """Whether ``path``, already known to be no regular file, is a device that holds nothing."""
    return path in _PLAIN_DEVICES or path.startswith("/dev/pts/")


def open_pattern(file: File) -> str:
    """Return the pattern an open of ``file`` is learned as."""
    return literal(file.path) if file.origin in _SHIPPED else canonical(file.path)


def foreign_origin(file: File) -> str:
    """Return where code that is not the image's came from (``ExecBehaviour.origin``), "" for the image's."""
    return "" if file.origin in _OF_IMAGE else str(file.origin)
