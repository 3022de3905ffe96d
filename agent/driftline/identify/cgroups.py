"""What a cgroup's path says: which container, of which engine and pod, or only a branch that holds containers.

In: a path within the cgroup2 hierarchy, as text with surrogateescape. Out: ``CgroupName``. Why pure: every engine,
driver and nesting is one row of a table test. Next: ``resolver`` asks the engine, ``subjects`` files its events.

The forms come from the runtimes: runc's systemd driver writes ``PREFIX-ID.scope`` and its cgroupfs driver bare names;
the kubelet writes ``kubepods[.slice]/[QOS]/podUID``; Podman adds ``libpod_parent`` or ``machine.slice``, pods and its
monitor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

_ENGINES = {
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "docker": "docker",
    "libpod": "podman",
    "libpod-payload": "podman",
}
_ROOT_ENGINES = {
    "default": "containerd",
    "k8s.io": "containerd",
    "docker": "docker",
    "moby": "docker",
    "libpod_parent": "podman",
    "crio": "cri-o",
}
_MONITORS = {"crio-conmon", "libpod-conmon"}
_POD_PREFIXES = {"libpod_pod", "machine-libpod_pod", "user-libpod_pod"}
_ID = re.compile(r"[0-9a-f]{64,}")  # longer ones are nobody's, but the kernel watches them
_KUBEPODS = re.compile(r"(?:[\w.]+-)*kubepods(?:\.slice)?")
_QOS = re.compile(r"(?:(?:[\w.]+-)*kubepods-)?(burstable|besteffort)(?:\.slice)?")
_POD = re.compile(
    r"(?:(?:[\w.]+-)*kubepods-(?:(burstable|besteffort)-)?)?pod([0-9a-fA-F][0-9a-fA-F_-]{0,63})(?:\.slice)?"
)
_COLON_FORM = re.compile(r"(?P<slice>[\w.-]+\.slice):(?P<prefix>[\w.-]+):(?P<id>[0-9a-zA-Z_.-]+)")


class Role(StrEnum):
    """What a cgroup is for."""

    CONTAINER = "container"
    NESTED = "nested"  # inside a container, belongs to it
    TREE = "tree"  # holds containers, is none itself: kubepods, a QoS level, a pod
    MONITOR = "monitor"  # the engine's own process beside a container: conmon


@dataclass(frozen=True, slots=True)
class CgroupName:
    """A path taken apart. Unknown parts are empty."""

    role: Role
    path: str  # of the container the cgroup is, or is nested in; its own for tree nodes and monitors
    engine: str = ""  # "containerd", "cri-o", "docker", "podman"; "" = the path does not tell
    container_id: str = ""
    pod_uid: str = ""  # as in the API: with dashes; a static pod's has none there either
    qos: str = ""  # "guaranteed", "burstable", "besteffort", "" outside Kubernetes


class _Pod(NamedTuple):
    container_at: int  # index of the component that names the container, if the path goes that deep
    uid: str = ""  # "" for a QoS level, which holds pods
    qos: str = ""


def split(path: str) -> list[str]:
    """Return the components of a cgroup path; empty ones do not count."""
    return [part for part in path.split("/") if part]


def is_watched(path: str, roots: tuple[str, ...]) -> bool:
    """Tell whether the kernel traces the cgroup ``path``: the twin of the rule in ``bpf/cgroup.bpf.c``.

    Watched are every descendant of a top-level directory named in ``roots``, every cgroup with 64 hexadecimal digits in
    a row in its name wherever it is, and the descendants of those.
    """
    parts = split(path)
    return (len(parts) > 1 and parts[0] in roots) or any(map(_ID.search, parts))


def parse(path: str, roots: tuple[str, ...]) -> CgroupName | None:
    """Take ``path`` apart; None if nothing in it is, holds, or belongs to a container.

    Never None for a watched path.

    The outermost container owns what is nested in it, Docker in Docker included, with one exception: a pod of a kubelet
    that itself runs in a container (kind, k3d) is a container of its own.
    """
    parts = split(path)
    if pod := _find_pod(parts):
        return _in_pod(parts, pod)
    if parts and _KUBEPODS.fullmatch(parts[-1]):
        return CgroupName(Role.TREE, _join(parts))
    return _outside_pods(parts, roots)


def _join(parts: list[str]) -> str:
    return "/" + "/".join(parts)


def _find_pod(parts: list[str]) -> _Pod | None:
    """Find the innermost pod, or the QoS level the path ends at."""
    for index in range(len(parts) - 1, -1, -1):
        if (colon := _COLON_FORM.fullmatch(parts[index])) and (match := _POD.fullmatch(colon["slice"])):
            return _Pod(index, _uid(match), match[1] or "guaranteed")
        if not _below_kubepods(parts, index):
            continue
        if match := _POD.fullmatch(parts[index]):
            level = _QOS.fullmatch(parts[index - 1])
            return _Pod(index + 1, _uid(match), match[1] or (level[1] if level else "guaranteed"))
        if _QOS.fullmatch(parts[index]) and index == len(parts) - 1:
            return _Pod(index + 1)
    return None


def _uid(match: re.Match[str]) -> str:
    return match[2].replace("_", "-").lower()


def _below_kubepods(parts: list[str], index: int) -> bool:
    if index >= 1 and _KUBEPODS.fullmatch(parts[index - 1]):
        return True
    return index >= 2 and bool(_QOS.fullmatch(parts[index - 1]) and _KUBEPODS.fullmatch(parts[index - 2]))


def _in_pod(parts: list[str], pod: _Pod) -> CgroupName:
    at = pod.container_at
    if at >= len(parts):
        return CgroupName(Role.TREE, _join(parts), pod_uid=pod.uid, qos=pod.qos)
    engine, container_id, role = _named(parts[at]) or ("", parts[at], Role.CONTAINER)
    return _found(parts, at, CgroupName(role, "", engine, container_id, pod.uid, pod.qos))


def _outside_pods(parts: list[str], roots: tuple[str, ...]) -> CgroupName | None:
    for index, part in enumerate(parts):
        if _is_podman_pod(parts, index):
            continue
        if named := _named(part):
            engine, container_id, role = named
            engine = engine or _ROOT_ENGINES.get(parts[0], "")
            return _found(parts, index, CgroupName(role, "", engine, container_id))
    return _under_root(parts) if parts and parts[0] in roots else None


def _is_podman_pod(parts: list[str], index: int) -> bool:
    """A Podman pod has an id of 64 digits too, but only holds containers."""
    prefix = parts[index].rsplit("_", 1)[0]
    return prefix in _POD_PREFIXES or (index == 1 and parts[0] == "libpod_parent" and bool(_ID.fullmatch(parts[1])))


def _under_root(parts: list[str]) -> CgroupName:
    """A container without a 64-digit id, or a branch, below a watched top-level directory."""
    for index, part in enumerate(parts[1:], 1):
        if part == "conmon":
            return CgroupName(Role.MONITOR, _join(parts), _ROOT_ENGINES.get(parts[0], ""))
        if not (part.endswith(".slice") or part == "buildkit" or _is_podman_pod(parts, index)):
            name = CgroupName(Role.CONTAINER, "", _ROOT_ENGINES.get(parts[0], ""), part)
            return _found(parts, index, name)
    return CgroupName(Role.TREE, _join(parts))


def _named(part: str) -> tuple[str, str, Role] | None:
    """Engine, id and role told by one component, None if it tells none."""
    if colon := _COLON_FORM.fullmatch(part):
        return _ENGINES.get(colon["prefix"], ""), colon["id"], Role.CONTAINER
    match = _ID.search(part)
    if not match:
        return None
    prefix = part[: match.start()].rstrip("-")
    role = Role.MONITOR if prefix in _MONITORS else Role.CONTAINER
    engine = _ENGINES.get(prefix.removesuffix("-conmon"), "")
    return engine, match[0], role


def _found(parts: list[str], index: int, name: CgroupName) -> CgroupName:
    path = _join(parts[: index + 1])
    nested = name.role is Role.CONTAINER and len(parts) > index + 1
    role = Role.NESTED if nested else name.role
    container_id = "" if role is Role.MONITOR else name.container_id
    return CgroupName(role, path, name.engine, container_id, name.pod_uid, name.qos)
