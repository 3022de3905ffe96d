"""Is a file in the writable layer still the image's? The kernel leaves it open when size and time are equal.

In: the process, its file, and the host paths image layers may be relative to. Out: True (only copied up, by a chmod or
chown), False (other contents), None (cannot be found out). Why compare: an attacker can give a file the size and time
of the one it replaces. Run by a worker thread. Next: ``judge.judge_compared``.

An overlay's options in mountinfo are what the runtime gave: absolute (Docker, containerd with few layers), relative to
the snapshot directory (containerd with many: ``91/fs:90/fs``), or to podman's storage (``l/XXXX``, links).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from driftline.nouns import File
from driftline.verdict.beneath import open_beneath
from driftline.verdict.hashing import open_seen

_CHUNK = 1 << 20
MAX_MOUNTS = 4_096
"""Lines of mountinfo read: a busy node has some hundreds."""
MAX_LAYERS = 512
"""Layers looked through: overlayfs allows 500."""


HOST_ROOT = "/proc/1/root"
"""Where an agent in a container of its own, in the node's pid namespace, sees the node's files."""


class Overlay(NamedTuple):
    """An overlay mount of a process, as its mountinfo tells."""

    mount_point: str
    lower: tuple[str, ...]  # nearest first, as given: perhaps relative
    upper: str


def compare(pid: int, file: File, limit: int, bases: Sequence[str] = ()) -> bool | None:
    """Return whether ``file``, executed or mapped by process ``pid``, has the contents of the image's file.

    ``limit``: largest size compared, bytes. ``bases``: directories relative layers may start from, beside the one that
    follows from the upper directory. Never raises.
    """
    try:
        overlay = find_overlay(mountinfo_of(pid), file.path)
        if overlay is None:
            return None
        inside = file.path[len(overlay.mount_point.rstrip("/")) :]
        return compare_with_layers(pid, file, inside, layers_of(overlay, bases), limit)
    except OSError:
        return None


def mountinfo_of(pid: int) -> list[str]:
    """Return the lines of a process's mountinfo, at most ``MAX_MOUNTS``. Raises OSError."""
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [line for line, _number in zip(file, range(MAX_MOUNTS), strict=False)]


def find_overlay(mountinfo: Sequence[str], path: str) -> Overlay | None:
    """Return the overlay ``path`` lies on, None if it lies on another file system. Format: proc_pid_mountinfo(5)."""
    best: tuple[str, str, str] | None = None
    for line in mountinfo:
        before, separator, after = line.partition(" - ")
        fields, tail = before.split(" "), after.rstrip("\n").split(" ", 2)
        if not separator or len(fields) < 6 or len(tail) < 3:
            continue
        point = _unoctal(fields[4])
        covers = path == point or path.startswith(point.rstrip("/") + "/")
        if covers and (best is None or len(point) >= len(best[0])):
            best = (point, tail[0], tail[2])
    if best is None or best[1] != "overlay":
        return None
    return _overlay(best[0], best[2])


def _overlay(point: str, options: str) -> Overlay | None:
    layers: list[str] = []
    upper = ""
    for option in options.split(","):
        name, _, value = option.partition("=")
        if name == "lowerdir":
            layers += [_unoctal(layer) for layer in value.split(":") if layer]
        elif name == "lowerdir+":  # one option for each layer: Linux 6.8, mounts made with fsconfig(2)
            layers.append(_unoctal(value))
        elif name == "upperdir":
            upper = _unoctal(value)
    return Overlay(point, tuple(layers[:MAX_LAYERS]), upper) if layers and upper else None


def _unoctal(text: str) -> str:
    """Undo mountinfo's ``\\040`` for space, tab, newline and backslash."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\054", ","), ("\\134", "\\")):
        text = text.replace(code, char)
    return text


def layers_of(overlay: Overlay, bases: Sequence[str] = ()) -> list[str]:
    """Return the image layers as directories this process can open, nearest first; an empty list if one cannot be
    placed. Each is looked for here, then below ``HOST_ROOT``."""
    candidates = [os.path.dirname(os.path.dirname(overlay.upper))] if overlay.upper.startswith("/") else []
    candidates += bases
    placed = [_place(layer, candidates) for layer in overlay.lower]
    return [layer for layer in placed if layer is not None] if None not in placed else []


def _place(layer: str, bases: Sequence[str]) -> str | None:
    candidates = [layer] if layer.startswith("/") else [os.path.join(base, layer) for base in bases]
    candidates += [HOST_ROOT + path for path in candidates if path.startswith("/")]
    return next((path for path in candidates if os.path.isdir(path)), None)


def compare_with_layers(pid: int, file: File, inside: str, layers: Sequence[str], limit: int) -> bool | None:
    """Return the same for layers that were found; ``inside`` is the file's path within them."""
    for layer in layers:
        lower = _open_in(layer, inside)
        if lower is not None:
            break
    else:
        return None
    try:
        upper = open_seen(pid, file)
        if upper is None:
            return None
        try:
            return _equal(lower, upper, limit)
        finally:
            os.close(upper)
    finally:
        os.close(lower)


def _open_in(directory: str, path: str) -> int | None:
    try:
        root = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return open_beneath(root, path)
    except OSError:
        return None
    finally:
        os.close(root)


def _equal(lower: int, upper: int, limit: int) -> bool | None:
    size = os.fstat(lower).st_size
    if size != os.fstat(upper).st_size:
        return False
    if size > limit:
        return None
    while True:
        one, other = os.read(lower, _CHUNK), os.read(upper, _CHUNK)
        if one != other:
            return False
        if not one:
            return True
