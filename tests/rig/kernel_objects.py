"""BPF programs, maps and links in the kernel, and which of them another process on this machine answers for.

In: bpftool, /proc/PID/fdinfo. Out: sets of ("prog" | "map" | "link", id). Why not only bpftool: Debian's says nothing
about holders, and several engineers run agents on one machine. Next: ``leftovers``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rig import session

Object = tuple[str, int]
_KINDS = ("prog", "map", "link")


def present() -> dict[Object, str]:
    """All objects in the kernel, each with a word on what it is."""
    found: dict[Object, str] = {}
    for kind in _KINDS:
        for entry in _bpftool(kind):
            found[kind, entry["id"]] = f"BPF {kind} {entry['id']} {entry['type']} {entry.get('name', '')}".rstrip()
    return found


def foreign() -> set[Object]:
    """Objects held by processes that do not descend from this one, with what those objects hold in turn."""
    held: set[Object] = set()
    ours = session.descendants()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in ours:
            held.update(_held_by(entry))
    return held | _reachable(held)


def _reachable(held: set[Object]) -> set[Object]:
    """A link holds its program, a program its maps."""
    programs = {("prog", link["prog_id"]) for link in _bpftool("link") if ("link", link["id"]) in held}
    maps: set[Object] = set()
    for program in _bpftool("prog"):
        if ("prog", program["id"]) in held | programs:
            maps.update(("map", number) for number in program.get("map_ids", ()))
    return programs | maps


def links_of(pid: int) -> set[int]:
    """Ids of the BPF links a process holds; other agents may run on this machine."""
    return {number for kind, number in _held_by(Path(f"/proc/{pid}")) if kind == "link"}


def _held_by(process: Path) -> Iterator[Object]:
    for text in _fdinfo(process):
        for line in text.splitlines():
            name, _, value = line.partition(":")
            kind = name.removesuffix("_id")
            if kind != name and kind in _KINDS:
                yield kind, int(value)


def _fdinfo(process: Path) -> Iterable[str]:
    """Texts of fdinfo of descriptors that are BPF's; a process or descriptor that just went away has none."""
    descriptors: list[str] = []
    with contextlib.suppress(OSError):
        descriptors = os.listdir(process / "fd")
    for fd in descriptors:
        with contextlib.suppress(OSError):  # closed meanwhile: the others still count
            if "bpf" in os.readlink(process / "fd" / fd):
                yield (process / "fdinfo" / fd).read_text()


def _bpftool(kind: str) -> list[dict[str, Any]]:
    done = subprocess.run(["bpftool", "--json", kind, "show"], capture_output=True, text=True, check=True)
    shown: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return shown
