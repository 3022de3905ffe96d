"""Tetragon TracingPolicy (cilium.io/v1alpha1): posts what the baseline does not hold.

In: what a baseline allows, labels of the pods. Out: YAML. Hooks and selectors: tetragon.io/docs, "Tracing Policy"; at
most five selectors a hook. Why these hooks: ``bprm_creds_from_file`` is passed the program that really runs, behind a
script's first line; ``file_permission`` and ``mmap_file`` are where reading and mapping are decided. Next: ``kubectl
apply``; ``tetra getevents``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from driftline.baseline.export.common import (
    WRITE,
    Allowed,
    Effect,
    Exported,
    ExportError,
    Gaps,
    Wanted,
    commented,
    head,
    is_printable,
    name_of,
    to_yaml,
)
from driftline.baseline.export.globs import below, fixed_start, is_literal
from driftline.baseline.export.peers import FIRST_EPHEMERAL, LAST_EPHEMERAL, Peer, Place, Port, peer_of
from driftline.baseline.patterns.pattern import plain
from driftline.nouns import EPHEMERAL

MAX_SELECTORS = 5
MAX_PREFIX = 255  # bytes compared (STRING_PREFIX_MAX_LENGTH is 256)
_MAY_WRITE, _PROT_EXEC = "2", "4"
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_ANYBODY = ("0.0.0.0/0", "::/0")


def export(found: Allowed, wanted: Wanted) -> Exported:
    """Return the policy. Raises ExportError without labels: it would be about every pod of the cluster."""
    if not wanted.labels:
        raise ExportError("a TracingPolicy must say which pods it is for", "--selector app=web")
    gaps = Gaps()
    probes = [_programs(found, gaps), _writes(found, gaps), _libraries(found, gaps), _connects(found, gaps)]
    _say_the_rest(found, gaps)
    spec = {"podSelector": {"matchLabels": dict(wanted.labels)}, "kprobes": probes}
    namespace = wanted.namespace or found.baseline.workload.partition("/")[0]
    metadata = {"name": name_of(found.baseline, wanted)} | ({"namespace": namespace} if namespace else {})
    kind = "TracingPolicyNamespaced" if namespace else "TracingPolicy"
    document = {"apiVersion": "cilium.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    return Exported(commented(head(found, "tetragon", gaps.all())) + to_yaml(document), gaps.all())


def _probe(call: str, arguments: list[tuple[int, str]], selectors: list[list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "call": call,
        "syscall": False,
        "args": [{"index": index, "type": kind} for index, kind in arguments],
        "selectors": [
            ({"matchArgs": filters} if filters else {}) | {"matchActions": [{"action": "Post"}]}
            for filters in selectors
        ],
    }


def _filter(index: int, operator: str, values: Iterable[str]) -> dict[str, Any]:
    return {"index": index, "operator": operator, "values": list(values)}


# --- files ------------------------------------------------------------------------------------------------------------


def _programs(found: Allowed, gaps: Gaps) -> dict[str, Any]:
    paths = _paths([*found.programs, *(one.path for one in found.foreign_programs)], gaps)
    for one in found.foreign_programs:
        gaps.add("code allowed from one place only, here from any: Tetragon compares paths", Effect.WIDER, one.path)
    filters = [_filter(1, "NotEqual", paths)] if paths else []
    return _probe("security_bprm_creds_from_file", [(1, "file")], [filters])


def _libraries(found: Allowed, gaps: Gaps) -> dict[str, Any]:
    programs = [*found.programs, *(one.path for one in found.foreign_programs)]  # are mapped too
    paths = _paths([*programs, *found.libraries, *(one.path for one in found.foreign_libraries)], gaps)
    for one in found.foreign_libraries:
        gaps.add("code allowed from one place only, here from any: Tetragon compares paths", Effect.WIDER, one.path)
    filters = [_filter(1, "Mask", [_PROT_EXEC])]
    filters += [_filter(0, "NotEqual", paths)] if paths else []
    return _probe("security_mmap_file", [(0, "file"), (1, "uint32")], [filters])


def _writes(found: Allowed, gaps: Gaps) -> dict[str, Any]:
    patterns = [pattern for pattern, access in found.opens.items() if access & WRITE]
    exact = _paths([path for pattern in patterns if (path := plain(pattern)) is not None], gaps)
    starts = sorted({start for pattern in patterns if not is_literal(pattern) and (start := _start(pattern, gaps))})
    filters = [_filter(1, "Equal", [_MAY_WRITE])]
    filters += [_filter(0, "NotEqual", exact)] if exact else []
    filters += [_filter(0, "NotPrefix", starts)] if starts else []
    return _probe("security_file_permission", [(0, "file"), (1, "int")], [filters])


def _paths(paths: Iterable[str], gaps: Gaps) -> list[str]:
    kept = []
    for path in sorted(set(paths)):
        if path.startswith("/") and is_printable(path):
            kept.append(path)
        else:
            gaps.add("paths that YAML cannot carry, told always", Effect.NARROWER, path)
    return kept


def _start(pattern: str, gaps: Gaps) -> str:
    """What every path under the pattern begins with, short enough for Tetragon; "" if it cannot be said."""
    start = fixed_start(pattern)
    if not is_printable(start):
        gaps.add("paths that YAML cannot carry, told always", Effect.NARROWER, pattern)
        return ""
    if below(pattern) is None or len(start.encode()) > MAX_PREFIX:
        gaps.add("patterns: all that begins like them is allowed", Effect.WIDER, pattern)
    return start.encode()[:MAX_PREFIX].decode("utf-8", "ignore")


# --- connects ---------------------------------------------------------------------------------------------------------


def _connects(found: Allowed, gaps: Gaps) -> dict[str, Any]:
    """One selector for each port (there, but not at these addresses), one for all other ports."""
    ports: dict[Port, set[str]] = {}
    for peer in map(peer_of, found.connects):
        if addresses := _addresses(peer, gaps):
            ports.setdefault(peer.port, set()).update(addresses)
    return _probe("tcp_connect", [(0, "sock")], _selectors(dict(sorted(ports.items())), gaps))


def _selectors(ports: dict[Port, set[str]], gaps: Gaps) -> list[list[dict[str, Any]]]:
    if not ports:
        return [[]]
    limited = {port: addresses for port, addresses in ports.items() if not addresses.issuperset(_ANYBODY)}
    others = [_filter(0, "NotDPort", [_number(port) for port in ports])]
    if len(limited) < MAX_SELECTORS:
        each = [
            [_filter(0, "DPort", [_number(port)]), _filter(0, "NotDAddr", sorted(limited[port]))] for port in limited
        ]
        return [*each, others]
    gaps.add("which address goes with which port: Tetragon has five selectors a hook", Effect.WIDER)
    every = sorted(set().union(*limited.values()))
    return [[_filter(0, "DPort", map(_number, limited)), _filter(0, "NotDAddr", every)], others]


def _addresses(peer: Peer, gaps: Gaps) -> tuple[str, ...]:
    if peer.place is Place.UNIX or peer.behaviour.protocol != "tcp":
        gaps.add("connects of other protocols than TCP", Effect.UNSAID, peer.text)
        return ()
    match peer.place:
        case Place.LOOPBACK:
            return _LOOPBACK
        case Place.SELF:
            gaps.add("connects to the pod's own address, told always", Effect.NARROWER, peer.text)
            return ()
        case Place.NAME | Place.RESOLVER:
            gaps.add("host names and DNS servers: their port is allowed at any address", Effect.WIDER, peer.text)
            return _ANYBODY
        case _:
            return (str(peer.network),)


def _number(port: Port) -> str:
    return f"{FIRST_EPHEMERAL}:{LAST_EPHEMERAL}" if port[1] == EPHEMERAL else str(port[1])


def _say_the_rest(found: Allowed, gaps: Gaps) -> None:
    for one in found.execs:
        gaps.add("who runs a program, under which name, and whether it entered", Effect.WIDER, one.path)
    for pattern, access in found.opens.items():
        if not access & WRITE:
            gaps.add("reads: reads of packages in use are not all in a baseline", Effect.UNSAID, pattern)
    gaps.add("truncating and writing through a mapping", Effect.UNSAID)
