"""Falco rules: what the image's containers do that the baseline does not hold.

In: what a baseline allows. Out: a rules file with lists, macros and rules. Syntax and fields: falco.org/docs, "Rules"
and "Supported Fields", as of Falco 0.37. Why macros: users add to them with ``override`` what they accept besides. Why
nothing is quoted by hand: a path Falco's filter language would need quotes for is left out and said, so no name a
container chose can become a part of a condition. Next: ``falco -r``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from driftline.baseline.export.common import (
    READ,
    WRITE,
    Allowed,
    Effect,
    Exported,
    Gaps,
    Wanted,
    commented,
    head,
    name_of,
    to_yaml,
)
from driftline.baseline.export.globs import glob, is_literal, literal_text
from driftline.baseline.export.peers import FIRST_EPHEMERAL, LAST_EPHEMERAL, Peer, Place, by_port, peer_of
from driftline.baseline.patterns.pattern import plain
from driftline.nouns import CONTAINER_KEY, EPHEMERAL, Origin

ENGINE = 31
"""Engine of Falco 0.37, the first that has all fields used."""

_BARE = re.compile(r"/[A-Za-z0-9/._+:@~%\[\]-]*")  # no quotes needed anywhere in a filter
_BARE_GLOB = re.compile(r"/[A-Za-z0-9/._+:@~%-]*")  # the same without what means something in a glob
_UPPER = frozenset({Origin.WRITABLE, Origin.COPYUP})
_GONE = frozenset({Origin.MEMFD, Origin.DELETED})
_LOOPBACK = '"127.0.0.0/8", "::1/128"'
_FILE = "fd.typechar = f and evt.rawres >= 0"


def export(found: Allowed, wanted: Wanted) -> Exported:
    """Return the rules."""
    gaps, name = Gaps(), name_of(found.baseline, wanted)
    prefix = re.sub(r"[^a-z0-9]+", "_", name.lower())
    items: list[Any] = [{"required_engine_version": ENGINE}]
    items.append({"macro": f"{prefix}_container", "condition": _container(found)})
    items += _programs(found, name, prefix, gaps)
    items += _files(found, name, prefix, gaps, WRITE)
    items += _files(found, name, prefix, gaps, READ)
    items += _connects(found, name, prefix, gaps)
    _say_the_rest(found, gaps)
    return Exported(commented(head(found, "falco", gaps.all())) + to_yaml(items), gaps.all())


def _container(found: Allowed) -> str:
    key = found.baseline.key
    if key.startswith(CONTAINER_KEY) or not re.fullmatch(r"sha256:[0-9a-f]+", key):
        return "container.id != host"
    return f"container.id != host and container.image.digest = {key}"


def _rule(name: str, what: str, condition: str, output: str, priority: str, **more: Any) -> dict[str, Any]:
    shown = f"Drift: {what} ({output} container=%container.name image=%container.image.repository)"
    rule = {"rule": f"Drift of {name}: {what}", "desc": f"{what}, which the baseline does not hold"}
    return rule | {
        "condition": condition,
        "output": shown,
        "priority": priority,
        "tags": ["container", "drift"],
        **more,
    }


def _expected(prefix: str, kind: str, terms: list[str]) -> tuple[list[dict[str, str]], str]:
    """The macro of what is expected, and what to add to a condition."""
    if not terms:
        return [], ""
    name = f"{prefix}_expected_{kind}"
    return [{"macro": name, "condition": " or ".join(f"({term})" for term in terms)}], f" and not {name}"


# --- programs ---------------------------------------------------------------------------------------------------------


def _programs(found: Allowed, name: str, prefix: str, gaps: Gaps) -> list[dict[str, Any]]:
    image = _bare(found.programs, gaps)
    upper = _bare((one.path for one in found.foreign_programs if one.origin in _UPPER), gaps)
    others = _bare((one.path for one in found.foreign_programs if one.origin not in _UPPER | _GONE), gaps)
    for one in found.foreign_programs:
        if one.origin in _GONE:
            gaps.add("programs without a file, told always", Effect.NARROWER, one.path)
        elif one.origin not in _UPPER:
            gaps.add("programs from volumes or tmpfs: Falco only knows the writable layer", Effect.WIDER, one.path)
    lists = [("programs", image, "false"), ("written_programs", upper, "true"), ("mounted_programs", others, "false")]
    made = [{"list": f"{prefix}_{kind}", "items": paths} for kind, paths, _upper in lists if paths]
    terms = [
        f"proc.exepath in ({prefix}_{kind}) and proc.is_exe_upper_layer = {layer} and proc.is_exe_from_memfd = false"
        for kind, paths, layer in lists
        if paths
    ]
    macro, but = _expected(prefix, "program", terms)
    condition = f"evt.type in (execve, execveat) and evt.rawres >= 0 and {prefix}_container{but}"
    output = "program=%proc.exepath command=%proc.cmdline parent=%proc.pexepath upper_layer=%proc.is_exe_upper_layer"
    return [*made, *macro, _rule(name, "program", condition, output, "CRITICAL")]


def _bare(paths: Iterable[str], gaps: Gaps) -> list[str]:
    kept = []
    for path in sorted(set(paths)):
        if _BARE.fullmatch(path):
            kept.append(path)
        else:
            gaps.add("paths with characters that Falco's filters need quotes for, told always", Effect.NARROWER, path)
    return kept


# --- files ------------------------------------------------------------------------------------------------------------


def _files(found: Allowed, name: str, prefix: str, gaps: Gaps, bit: int) -> list[dict[str, Any]]:
    kind, verb = ("write", "written file") if bit == WRITE else ("read", "read file")
    patterns = [pattern for pattern, access in found.opens.items() if access & bit]
    exact = _bare((path for pattern in patterns if (path := plain(pattern)) is not None), gaps)
    globs = [text for pattern in patterns if not is_literal(pattern) and (text := _glob(pattern, gaps))]
    made = [{"list": f"{prefix}_{kind}_files", "items": exact}] if exact else []
    terms = [f"fd.name in ({prefix}_{kind}_files)"] if exact else []
    macro, but = _expected(prefix, kind, terms + [f"fd.name glob {text}" for text in globs])
    calls = "open, openat, openat2, creat" if bit == WRITE else "open, openat, openat2"
    condition = f"evt.type in ({calls}) and evt.is_open_{kind} = true and {_FILE} and {prefix}_container{but}"
    output = "file=%fd.name program=%proc.exepath command=%proc.cmdline"
    rule = _rule(name, verb, condition, output, "ERROR" if bit == WRITE else "NOTICE")
    return [*made, *macro, rule if bit == WRITE else rule | {"enabled": False}]


def _glob(pattern: str, gaps: Gaps) -> str:
    """The pattern as a glob for ``fd.name glob``, "" if it cannot be written safely."""
    if not _BARE_GLOB.fullmatch(literal_text(pattern)):
        gaps.add("paths with characters that Falco's filters need quotes for, told always", Effect.NARROWER, pattern)
        return ""
    gaps.add("patterns: in Falco's globs a * crosses directories, and classes become *", Effect.WIDER, pattern)
    return glob(pattern, str)


# --- connects ---------------------------------------------------------------------------------------------------------


def _connects(found: Allowed, name: str, prefix: str, gaps: Gaps) -> list[dict[str, Any]]:
    peers = [peer for peer in map(peer_of, found.connects) if _is_sayable(peer, gaps)]
    terms = [_term(port, _networks(map(str, networks))) for port, networks in by_port(peers).items()]
    says: dict[Place, Callable[[Peer], str]] = {
        Place.LOOPBACK: lambda _peer: f"fd.snet in ({_LOOPBACK})",
        Place.NAME: lambda peer: f"fd.sip.name = {peer.behaviour.address}",
        Place.RESOLVER: lambda _peer: "",
    }
    terms += [_term(peer.port, says[peer.place](peer)) for peer in peers if peer.place in says]
    macro, but = _expected(prefix, "connect", list(dict.fromkeys(terms)))
    outbound = "evt.type = connect and fd.typechar in (4, 6) and fd.l4proto in (tcp, udp)"
    condition = f"{outbound} and (evt.rawres >= 0 or evt.res = EINPROGRESS) and {prefix}_container{but}"
    output = "connection=%fd.name program=%proc.exepath command=%proc.cmdline"
    return [*macro, _rule(name, "connection", condition, output, "ERROR")]


def _networks(networks: Iterable[str]) -> str:
    quoted = ", ".join(f'"{network}"' for network in networks)
    return f"fd.snet in ({quoted})"


def _term(port: tuple[str, int], peers: str) -> str:
    protocol, number = port
    ports = f"fd.sport = {number}"
    if number == EPHEMERAL:
        ports = f"fd.sport >= {FIRST_EPHEMERAL} and fd.sport <= {LAST_EPHEMERAL}"
    return f"fd.l4proto = {protocol} and {ports}{f' and {peers}' if peers else ''}"


def _is_sayable(peer: Peer, gaps: Gaps) -> bool:
    if peer.place is Place.UNIX:
        gaps.add("Unix sockets", Effect.UNSAID, peer.behaviour.address)
        return False
    if peer.behaviour.protocol not in ("tcp", "udp"):
        gaps.add("connects of other protocols than TCP and UDP", Effect.UNSAID, peer.text)
        return False
    if peer.place is Place.SELF:
        gaps.add("connects to the pod's own address, told always", Effect.NARROWER, peer.text)
        return False
    if peer.place is Place.NAME and not re.fullmatch(r"[a-z0-9_.-]+", peer.behaviour.address):
        gaps.add("peers Falco has no word for, told always", Effect.NARROWER, peer.text)
        return False
    if peer.place is Place.RESOLVER:
        gaps.add("DNS to any server: Falco does not know the pod's resolv.conf", Effect.WIDER, peer.text)
    if peer.place is Place.NAME:
        gaps.add("host names: Falco resolves them itself, from time to time", Effect.NARROWER, peer.text)
    return True


def _say_the_rest(found: Allowed, gaps: Gaps) -> None:
    for one in found.execs:
        gaps.add("who runs a program, under which name, and whether it entered", Effect.WIDER, one.path)
    for path in [*found.libraries, *(one.path for one in found.foreign_libraries)]:
        gaps.add("libraries: Falco does not look at mmap by default", Effect.UNSAID, path)
    gaps.add("reads: the rule is off, because reads of packages in use are not all in a baseline", Effect.UNSAID)
    gaps.add("datagrams sent without a connect", Effect.UNSAID)
    if _container(found) == "container.id != host":
        gaps.add(
            "the image has no known digest: the rules are about all containers until you edit the macro",
            Effect.NARROWER,
        )
