"""Opens with many names in one directory → one pattern for them.

In: opens that clean learning allowed, which paths packages own. Out: the same, with ``*`` and ``**`` where there is
evidence. Why a tree worked from the root down: a directory that folds folds for all it holds, and what was folded
before is a sign that it does; so it never matters in how many parts the opens came. Next: ``folding``.

Where: below directories meant for data, only (``_ROOTS``, and directories that are called so), never where a package
owns a file, never names that matter by themselves (``paths.stands_alone``). How: files of one directory with one ending
fold into ``*.ending``, those without one into ``*``, directories into ``*/``; where two levels of directories fold
below each other, all below is one ``**``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from driftline.baseline.merging import merge_entries, smallest
from driftline.baseline.patterns.paths import stands_alone
from driftline.baseline.patterns.pattern import (
    DEEP,
    STAR,
    PatternError,
    check_width,
    decode,
    has_wildcards,
    matches_decoded,
    plain,
)
from driftline.baseline.schema import Entry
from driftline.nouns import OpenBehaviour

MIN_SIBLINGS = 10
"""Different names in one directory that make it one of data: a handful is what people lay out by hand, and better read
one by one in a review."""
MAX_LEVELS = 8
"""Levels below a directory of data that are looked at; a pattern may have no more wildcards. Deeper paths stay."""
MAX_ENDING = 8
"""Characters of an ending: the longest usual ones (``.manifest``) are a little longer and fold without it."""

_ROOTS = {
    "/data": 0,
    "/dev/shm": 0,
    "/home": 1,
    "/media": 1,
    "/mnt": 1,
    "/run": 1,
    "/srv": 0,
    "/tmp": 0,
    "/var/cache": 1,
    "/var/lib": 1,
    "/var/log": 1,
    "/var/opt": 1,
    "/var/spool": 1,
    "/var/tmp": 0,
    "/var/www": 1,
}
"""Directories for data (FHS 3.0, and those images use), with the levels below them that say whose data it is."""
_CALLED_SO = frozenset({"cache", "data", "log", "logs", "sessions", "spool", "storage", "temp", "tmp", "uploads"})
"""Names of directories of data anywhere else, as in ``/app/uploads``, but not among programs and settings."""
_ELSEWHERE = ("/app/", "/opt/", "/usr/src/", "/bitnami/", "/workspace/")
_NEVER = tuple(
    f"/{place}/"
    for place in (
        *("run/secrets", "run/containerd", "run/systemd", "run/credentials", "var/spool/cron"),
        *(
            "var/lib/apt",
            "var/lib/containerd",
            "var/lib/containers",
            "var/lib/docker",
            "var/lib/rpm",
            "var/lib/systemd",
        ),
    )
)
"""Places among them where every single file matters."""

_ANY, _BELOW = "*", "**"

Owned = Callable[[str], bool]


class _Leaf(NamedTuple):
    entry: Entry
    seen: tuple[str, ...]  # examples, should it become part of a pattern


class _Node:
    """A directory. ``files``: what was opened in it, by name; a name with ``/`` in it is too deep to fold."""

    __slots__ = ("dirs", "files")

    def __init__(self) -> None:
        self.files: dict[str, _Leaf] = {}
        self.dirs: dict[str, _Node] = {}

    def put(self, name: str, leaf: _Leaf) -> None:
        """Add an open, to another of the same name if there is one."""
        there = self.files.get(name)
        self.files[name] = leaf if there is None else _joined(there, leaf)

    def take(self, other: _Node) -> None:
        """Add all of another directory."""
        for name, leaf in other.files.items():
            self.put(name, leaf)
        for name, node in other.dirs.items():
            self.dirs.setdefault(name, _Node()).take(node)

    def leaves(self) -> Iterator[_Leaf]:
        """All opens in it and below it."""
        yield from self.files.values()
        for node in self.dirs.values():
            yield from node.leaves()


def _joined(one: _Leaf, other: _Leaf) -> _Leaf:
    return _Leaf(merge_entries(one.entry, other.entry), smallest(one.seen, other.seen))


def fold_opens(entries: Mapping[OpenBehaviour, Entry], owned: Owned) -> dict[OpenBehaviour, Entry]:
    """Return ``entries`` folded; see ``folding.fold``. Reads and writes are folded apart."""
    folded: dict[OpenBehaviour, Entry] = {}
    trees: dict[tuple[str, str], _Node] = {}
    for behaviour, entry in entries.items():
        root = root_of(behaviour.path) if _may_fold(behaviour.path, entry, owned) else ""
        if root:
            tree = trees.setdefault((root, behaviour.access), _Node())
            _insert(tree, behaviour.path, root, entry)
        else:
            folded[behaviour] = entry
    for (root, access), tree in trees.items():
        _fold(tree, root, owned, False)
        for path, leaf in _paths(tree, root):
            folded[OpenBehaviour(path, access)] = _entry(path, leaf)
    return folded


def covers(pattern: str, path: str) -> bool:
    """Whether the pattern ``path``, as it was before folding, is part of the folded ``pattern``."""
    return matches_decoded(decode(pattern), _decoded(path))


def root_of(path: str) -> str:
    """Return the directory of data the pattern ``path`` lies in, "" if in none."""
    segments = path.split("/")
    level = _level(path, segments)
    root = "/".join(segments[:level])
    if not level or level >= len(segments) or "*" in root or f"{root}/".startswith(_NEVER):
        return ""
    return root if _is_narrow(f"{root}/{_BELOW}") else ""


def _level(path: str, segments: list[str]) -> int:
    """How many segments lead to the directory of data, 0 if none."""
    for depth in (2, 3):
        below = _ROOTS.get("/".join(segments[:depth]))
        if below is not None:
            return depth + below
    if path.startswith(_ELSEWHERE):
        return next((place + 1 for place, name in enumerate(segments[:-1]) if name in _CALLED_SO), 0)
    return 0


@lru_cache(maxsize=64)  # a baseline's thousands of opens lie in a few directories of data
def _is_narrow(pattern: str) -> bool:
    try:
        check_width(pattern)
    except PatternError:
        return False
    return True


def _may_fold(path: str, entry: Entry, owned: Owned) -> bool:
    raw = plain(path)
    if raw is not None:
        return not owned(raw) and not stands_alone(raw)
    text = _decoded(path)
    if STAR in text:
        return bool(entry.examples) and _is_ours(text)  # without examples a person wrote it
    return bool(text) and not stands_alone(path)


def _decoded(path: str) -> str:
    """The pattern decoded, "" if it is none: no document holds such a path, and nothing is made of it."""
    try:
        return decode(path)
    except PatternError:
        return ""


def _is_ours(text: str) -> bool:
    """Whether all wildcards of a decoded pattern are where folding puts them."""
    *above, last = text.split("/")
    star, dot, ending = last.partition(".")
    whole = last in (STAR, DEEP) or STAR not in last or (star == STAR and _ending(f"x{dot}{ending}") == ending)
    return whole and all(segment == STAR or STAR not in segment for segment in above)


def _insert(tree: _Node, path: str, root: str, entry: Entry) -> None:
    *dirs, name = path[len(root) + 1 :].split("/", MAX_LEVELS - 1)
    for directory in dirs:
        tree = tree.dirs.setdefault(directory, _Node())
    tree.put(name, _Leaf(entry, entry.examples if has_wildcards(path) else (path,)))


def _fold(node: _Node, directory: str, owned: Owned, free: bool) -> None:
    """Fold below ``directory`` (a pattern); ``free``: no package owns anything there, that is known already."""
    free = free or not owned(f"{plain(directory) or directory}/")
    if free and _BELOW in node.files:
        _fold_all(node)
        return
    if free:
        _fold_dirs(node)
        _fold_files(node)
    for name, child in node.dirs.items():
        _fold(child, f"{directory}/{name}", owned, free)
    below = node.dirs.get(_ANY)
    if free and below is not None and (_ANY in below.dirs or _BELOW in below.files):
        _fold_all(node)


def _fold_all(node: _Node) -> None:
    leaves = node.leaves()
    whole = next(leaves)
    for leaf in leaves:
        whole = _joined(whole, leaf)
    node.files, node.dirs = {_BELOW: whole}, {}


def _fold_dirs(node: _Node) -> None:
    if len(node.dirs) < MIN_SIBLINGS and _ANY not in node.dirs:
        return
    merged = _Node()
    for child in node.dirs.values():
        merged.take(child)
    node.dirs = {_ANY: merged}


def _fold_files(node: _Node) -> None:
    endings: dict[str, list[str]] = {}
    for name in node.files:
        if "/" not in name:
            endings.setdefault(_ending(name), []).append(name)
    bare = endings.get("", [])
    if _ANY in bare or len(bare) >= MIN_SIBLINGS or len(endings) >= MIN_SIBLINGS:
        _join(node, [name for names in endings.values() for name in names], _ANY)
        return
    for ending, names in endings.items():
        pattern = f"{_ANY}.{ending}"
        if ending and (pattern in names or len(names) >= MIN_SIBLINGS):
            _join(node, names, pattern)


def _join(node: _Node, names: list[str], pattern: str) -> None:
    for leaf in [node.files.pop(name) for name in names]:
        node.put(pattern, leaf)


def _ending(name: str) -> str:
    """``jpg`` of ``a.jpg``; "" without one. A number or a token class is none: it says nothing of what the file is."""
    stem, dot, ending = name.rpartition(".")
    usual = stem and dot and len(ending) <= MAX_ENDING and ending.isascii() and ending.isalnum()
    return ending if usual and not ending.isdigit() else ""


def _paths(node: _Node, directory: str) -> Iterator[tuple[str, _Leaf]]:
    for name, leaf in node.files.items():
        yield f"{directory}/{name}", leaf
    for name, child in node.dirs.items():
        yield from _paths(child, f"{directory}/{name}")


def _entry(path: str, leaf: _Leaf) -> Entry:
    """The leaf's entry, with examples if it is a pattern; the one that was given if nothing was folded."""
    return replace(leaf.entry, examples=leaf.seen) if has_wildcards(path) else leaf.entry
