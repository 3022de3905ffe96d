"""KubeArmorPolicy (security.kubearmor.com/v1): an allow list of programs, files and protocols.

In: what a baseline allows, labels of the pods. Out: YAML. Format: KubeArmor's "Security Policy Specification for
Containers". What an allow list does to the rest (audit or block) is the namespace's posture. Next: ``kubectl apply``.
"""

from __future__ import annotations

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
from driftline.baseline.export.globs import below, glob, is_literal, literal_text
from driftline.baseline.export.peers import Place, peer_of
from driftline.baseline.patterns.pattern import plain

_SPECIAL = frozenset('?*[]{}^"\\')  # KubeArmor hands paths to AppArmor as they are
_PROTOCOLS = ("tcp", "udp", "icmp")
SEVERITY = 5  # of 1 to 10


def export(found: Allowed, wanted: Wanted) -> Exported:
    """Return the policy. Raises ExportError without labels: it would be about every pod of the namespace."""
    if not wanted.labels:
        raise ExportError("a KubeArmorPolicy must say which pods it is for", "--selector app=web")
    gaps = Gaps()
    spec = {
        "severity": SEVERITY,
        "message": "not in the baseline of the image",
        "tags": ["drift"],
        "selector": {"matchLabels": dict(wanted.labels)},
        **_part("process", _programs(found, gaps)),
        **_part("file", _files(found, gaps)),
        **_part("network", _network(found, gaps)),
        "action": "Allow",
    }
    _say_the_rest(found, gaps)
    namespace = wanted.namespace or found.baseline.workload.partition("/")[0]
    metadata = {"name": name_of(found.baseline, wanted)} | ({"namespace": namespace} if namespace else {})
    document = {
        "apiVersion": "security.kubearmor.com/v1",
        "kind": "KubeArmorPolicy",
        "metadata": metadata,
        "spec": spec,
    }
    return Exported(commented(head(found, "kubearmor", gaps.all())) + to_yaml(document), gaps.all())


def _part(name: str, rules: dict[str, list[Any]]) -> dict[str, Any]:
    filled = {kind: values for kind, values in rules.items() if values}
    return {name: filled} if filled else {}


def _programs(found: Allowed, gaps: Gaps) -> dict[str, list[Any]]:
    foreign = [one.path for one in found.foreign_programs]
    for path in foreign:
        gaps.add("code allowed from one place only, here from any: KubeArmor compares paths", Effect.WIDER, path)
    paths = sorted({*found.programs, *found.scripts, *foreign})
    return {"matchPaths": [{"path": path} for path in paths if _is_path(path, gaps)]}


def _files(found: Allowed, gaps: Gaps) -> dict[str, list[Any]]:
    rules: dict[str, list[Any]] = {"matchPaths": [], "matchDirectories": [], "matchPatterns": []}
    libraries = {*found.libraries, *(one.path for one in found.foreign_libraries)}
    exact = {path: access for pattern, access in found.opens.items() if (path := plain(pattern)) is not None}
    for path, access in sorted({**dict.fromkeys(libraries, 0), **exact}.items()):
        if _is_path(path, gaps):
            rules["matchPaths"].append({"path": path} | _read_only(access))
    for pattern, access in found.opens.items():
        if not is_literal(pattern):
            _add_pattern(pattern, access, rules, gaps)
    return rules


def _add_pattern(pattern: str, access: int, rules: dict[str, list[Any]], gaps: Gaps) -> None:
    directory = below(pattern)
    if directory is not None:
        if _is_path(directory, gaps):
            rules["matchDirectories"].append({"dir": f"{directory}/", "recursive": True} | _read_only(access))
    elif _is_path(literal_text(pattern).rstrip("/"), gaps):
        gaps.add("patterns: only KubeArmor's AppArmor enforcer knows them, and classes become *", Effect.WIDER, pattern)
        rules["matchPatterns"].append({"pattern": glob(pattern, str)} | _read_only(access))


def _read_only(access: int) -> dict[str, bool]:
    return {} if access & WRITE else {"readOnly": True}


def _is_path(path: str, gaps: Gaps) -> bool:
    if not path.startswith("/") or path.endswith("/") or not is_printable(path):
        gaps.add("paths that a policy cannot carry, refused", Effect.NARROWER, path)
        return False
    if _SPECIAL.intersection(path):
        gaps.add("paths KubeArmor would take for patterns, refused", Effect.NARROWER, path)
        return False
    return True


def _network(found: Allowed, gaps: Gaps) -> dict[str, list[Any]]:
    peers = [peer for peer in map(peer_of, found.connects) if peer.place is not Place.UNIX]
    for peer in peers:
        if peer.behaviour.protocol in _PROTOCOLS:
            gaps.add("addresses and ports: KubeArmor knows protocols", Effect.WIDER, peer.text)
        else:
            gaps.add("connects of protocols KubeArmor does not know, refused", Effect.NARROWER, peer.text)
    protocols = sorted({peer.behaviour.protocol for peer in peers}.intersection(_PROTOCOLS))
    return {"matchProtocols": [{"protocol": protocol} for protocol in protocols]}


def _say_the_rest(found: Allowed, gaps: Gaps) -> None:
    gaps.add(
        "listening is no part of a baseline: a protocol nobody connects with may be needed for it", Effect.NARROWER
    )
    gaps.add(
        "files read because their package is in use, refused where the baseline does not name them", Effect.NARROWER
    )
    gaps.add("which program opens which file: all programs may open all of them", Effect.WIDER)
    for one in found.execs:
        gaps.add("who runs a program, under which name", Effect.WIDER, one.path)
    for peer in map(peer_of, found.connects):
        if peer.place is Place.UNIX:
            gaps.add("Unix sockets", Effect.UNSAID, peer.behaviour.address)
