"""Events as text: one line for a person, one object for a program.

In: an event and its container. Out: text in which nothing from a container can act on a terminal. Next: ``events``.
"""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from typing import Any

from driftline.decode.record import AnyEvent
from driftline.nouns import (
    Access,
    CgroupEvent,
    ConnectEvent,
    DnsEvent,
    Event,
    ExecEvent,
    LeftEvent,
    LoadEvent,
    OpenEvent,
    RecordFlag,
    Subject,
)
from driftline.text import escape
from driftline.wire.jsontext import flag_names, wall_time

HIDDEN = {"cache_key", "cache_value", "epoch"}  # the kernel's own business
QUIET_FLAGS = RecordFlag.CACHEABLE | RecordFlag.IS_INIT
ID_DIGITS = 64  # of an engine's container id, told by its first twelve; any other id is a name somebody chose
ACCESS = (
    (Access.READ, "read"),
    (Access.WRITE, "write"),
    (Access.CREATE, "create"),
    (Access.TRUNCATE, "truncate"),
    (Access.APPEND, "append"),
)


def name_of(subject: Subject | None, cgroup: int) -> str:
    """What to call a container before and after its engine named it."""
    if subject is None:
        return f"cgroup:{cgroup}"
    number = subject.container_id
    own = subject.name or (number[:12] if len(number) >= ID_DIGITS else number) or subject.cgroup_path
    return f"{subject.pod}/{own}" if subject.pod else own


def names_of(subject: Subject | None, cgroup: int) -> tuple[str, ...]:
    """Everything a container may be asked for by."""
    shown = name_of(subject, cgroup)
    return (shown, subject.name, subject.container_id, subject.pod) if subject else (shown,)


def line(event: AnyEvent, subject: Subject | None) -> str:
    """One line, escaped."""
    who = escape(name_of(subject, event.cgroup))
    if isinstance(event, CgroupEvent):
        return f"{event.change.value:8} {who}  {escape(event.path)}"
    if isinstance(event, DnsEvent):
        return f"dns      {who}  {_answer(event)}"
    process = event.process
    head = f"{_verb(event):8} {who}  {process.pid} {escape(process.comm)} uid {process.uid}"
    return f"{head}  {_what(event)}{_flags(event)}"


def _answer(event: DnsEvent) -> str:
    said = " ".join(address for address, _ttl in event.addresses) or "no address"
    name = escape(event.name) or "(no host name)"  # escaped, though the decoder lets only host names pass
    return f"{name} is {said} says {event.server}" + (f" ({event.trouble})" if event.trouble else "")


def _verb(event: Event | DnsEvent) -> str:
    return type(event).__name__.removesuffix("Event").lower()


def _what(event: Event) -> str:
    if isinstance(event, ExecEvent):
        argv = " ".join(escape(argument) for argument in event.argv)
        extra = f" env {','.join(event.environment)}" if event.environment else ""
        return f"{escape(event.file.path)} ({event.file.origin.value}) as {escape(event.invoked)}: {argv}{extra}"
    if isinstance(event, OpenEvent):
        access = ",".join(name for bit, name in ACCESS if event.access & bit)
        return f"{escape(event.file.path)} ({event.file.origin.value}) {access}"
    if isinstance(event, LoadEvent):
        return f"{escape(event.file.path)} ({event.file.origin.value})"
    if isinstance(event, LeftEvent):
        return f"moved to cgroup {escape(event.path)}"
    if isinstance(event, ConnectEvent):
        port = f":{event.port}" if event.family != "unix" else ""
        address = f"[{event.address}]" if event.family == "ipv6" else escape(event.address)
        return f"{event.protocol} {address}{port}"
    return ""


def _flags(event: Event) -> str:
    flags = RecordFlag(event.flags) & ~QUIET_FLAGS
    names = [flag.name.lower() for flag in RecordFlag if flag in flags and flag.name]
    return f"  [{' '.join(names)}]" if names else ""


def as_json(event: AnyEvent, subject: Subject | None, wall_ns: int) -> dict[str, Any]:
    """Plain values; flags by name, hostile text escaped, as in a deviation's JSON."""
    values = {name: _plain(value) for name, value in asdict(event).items() if name not in HIDDEN}
    for name, kind in (("flags", RecordFlag), ("access", Access)):
        if name in values:
            values[name] = flag_names(values[name], kind)
    what = "cgroup" if isinstance(event, CgroupEvent) else _verb(event)
    return {"time": wall_time(wall_ns), "event": what, **values, "container": _container(subject)}


def _container(subject: Subject | None) -> dict[str, Any] | None:
    if subject is None:
        return None
    values: dict[str, Any] = _plain(asdict(subject))
    return values | {"labels": {escape(name): escape(value) for name, value in subject.labels}}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if key not in HIDDEN}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
