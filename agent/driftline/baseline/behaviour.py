"""Event → behaviour: what of an event is the same the next time.

In: a decoded event and the container's own addresses. Out: the ``Behaviour`` a baseline would hold, None for what is
never worth judging. Why here: learning and judging must generalise alike. Next: ``learning`` and ``matching``.

Only what the kernel numbers anew each time is folded (process ids, descriptor numbers, pseudo-terminals, the timestamp
directories of Kubernetes volumes, CPython's temporary names): deterministic, so the order of events never matters.
"""

from __future__ import annotations

from driftline.baseline.applet import invoked_name
from driftline.nouns import (
    Access,
    Behaviour,
    ConnectBehaviour,
    ConnectEvent,
    Event,
    ExecBehaviour,
    ExecEvent,
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

LOOPBACK = "loopback"
SELF = "self"

# Devices every program may use: they hold nothing and lead nowhere.
_PLAIN_DEVICES = frozenset(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx"))
_NUMBERED = frozenset({"proc", "task", "fd", "fdinfo", "ns", "map_files", "pts"})  # their children are numbers


def behaviour_of(event: Event, own: frozenset[str] = frozenset()) -> Behaviour | None:
    """Return the behaviour of ``event``; ``own`` holds the container's own addresses as text.

    A read-write open is a "write": the stronger of the two, and a baseline that knows the write expects the read.
    None: the open of a plain device (``/dev/null``…), or an event without behaviour.
    """
    if isinstance(event, OpenEvent):
        if event.file.origin is _PSEUDO and is_plain_device(event.file.path):
            return None
        return OpenBehaviour(open_path(event), "write" if event.access & WRITE_BITS else "read")
    if isinstance(event, ExecEvent):
        return ExecBehaviour(event.file.path, invoked_name(event), event.by_path, bool(event.flags & _ENTERED))
    if isinstance(event, LoadEvent):
        return LoadBehaviour(event.file.path)
    if isinstance(event, ConnectEvent):
        return ConnectBehaviour(event.protocol, fold_address(event.address, event.family, own), event.port)
    return None


def is_plain_device(path: str) -> bool:
    """Whether ``path``, already known to be no regular file, is a device that holds nothing."""
    return path in _PLAIN_DEVICES or path.startswith("/dev/pts/")


def open_path(event: OpenEvent) -> str:
    """Return the path of an opened file with the parts folded that are new each time."""
    path = event.file.path
    if event.file.origin is _PSEUDO:
        return _fold_numbers(path)
    if "/..2" in path:
        return _fold_atomic_writer(path)
    if "/__pycache__/" in path:
        return _fold_pycache(path)
    return path


def _fold_numbers(path: str) -> str:
    """``/proc/12/task/13/fd/4`` → ``/proc/{n}/task/{n}/fd/{n}``: of proc and devpts, also when mounted elsewhere."""
    parts = path.split("/")
    for index in range(1, len(parts)):
        part = parts[index]
        if parts[index - 1] in _NUMBERED and part[:1].isdigit() and part.replace("-", "").isalnum():
            parts[index] = "{n}"
    return "/".join(parts)


def _fold_atomic_writer(path: str) -> str:
    """``…/..2026_11_23_08_00_01.123/token`` → ``…/..{time}/token``.

    The kubelet swaps such a directory in for each update of a ConfigMap, Secret or token (AtomicWriter in
    kubernetes/pkg/volume/util/atomic_writer.go).
    """
    parts = path.split("/")
    for index, part in enumerate(parts):
        if part.startswith("..2") and part[2:].replace("_", "").replace(".", "").isdigit():
            parts[index] = "..{time}"
    return "/".join(parts)


def _fold_pycache(path: str) -> str:
    """``x.cpython-311.pyc.140233`` → ``x.cpython-311.pyc.{n}``: importlib's temporary name (_write_atomic)."""
    stem, dot, suffix = path.rpartition(".")
    return f"{stem}.{{n}}" if dot and suffix.isdigit() and stem.endswith(".pyc") else path


def fold_address(address: str, family: str, own: frozenset[str]) -> str:
    """Return "loopback", "self" or the address; IPv4 in IPv6 becomes IPv4. Unix paths stay.

    Connecting to the unspecified address reaches the loopback on Linux. The port of a loopback connect stays: on
    loopback the port is what says which service is meant.
    """
    if family == "unix":
        return address
    if address.startswith("::ffff:") and "." in address:
        address = address[7:]
    if address.startswith("127.") or address in {"::1", "0.0.0.0", "::"}:
        return LOOPBACK
    return SELF if address in own else address
