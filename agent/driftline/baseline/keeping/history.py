"""The revisions of a baseline: one immutable file each, ``revisions/<6 digits>.msgpack``.

In: a baseline's directory. Out: what each revision says of itself, or the whole of one. Written by ``store.commit``,
before the revision comes into force; read by the command line. Next: ``driftline baseline history, diff, rollback``.
"""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path
from typing import NamedTuple

from driftline.baseline.format.canonical import MAX_FILE, from_msgpack, load_head
from driftline.baseline.keeping.files import make_directory, read_file, replace_file, sync_directory
from driftline.baseline.schema import Baseline, Review, State

DIRECTORY = "revisions"
OWN = "revisions.own"
"""What this node had made before a signed baseline with a number of its own took its place."""
DIGITS = 6
MAX_REVISIONS = 200
"""Revision files kept of one baseline; the oldest go first. Four a week for a year, some 50 KiB each."""


class Revision(NamedTuple):
    """One revision. ``damage`` says why nothing else is known of it.

    ``interrupted``: its writer died before it came into force, and the next one follows the one before it.
    """

    number: int
    version: str = ""  # content digest
    parent: str = ""
    state: State = State.CANDIDATE
    review: Review | None = None  # the decision that made it
    behaviours: int = 0
    partial: bool = False
    damage: str = ""
    interrupted: bool = False


class Header(NamedTuple):
    """Which revision a baseline file is."""

    revision: int
    version: str


def numbers(directory: Path) -> list[int]:
    """Numbers of the revisions kept for the baseline in ``directory``, ascending. Raises OSError."""
    try:
        names = [path.stem for path in (directory / DIRECTORY).iterdir() if path.suffix == ".msgpack"]
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def path_of(directory: Path, number: int) -> Path:
    """The file of a revision."""
    return directory / DIRECTORY / f"{number:0{DIGITS}}.msgpack"


def envelope_of(directory: Path, number: int) -> Path:
    """The file of the signatures of a revision, see ``signing.files``."""
    return directory / DIRECTORY / f"{number:0{DIGITS}}.dsse.json"


def read(directory: Path, number: int) -> Baseline:
    """Return a revision. Raises OSError; DocumentError or ValueError if it is damaged."""
    return from_msgpack(read_file(path_of(directory, number), MAX_FILE))


def describe(directory: Path, number: int) -> Revision:
    """Return what a revision says of itself."""
    try:
        found, version, behaviours = load_head(read_file(path_of(directory, number), MAX_FILE))
    except (OSError, ValueError) as error:
        return Revision(number, damage=str(error))
    review = found.reviews[-1] if found.reviews else None
    return Revision(number, version, found.parent, found.state, review, behaviours, partial=bool(found.reasons))


def with_interrupted(revisions: list[Revision], in_force: int, came: Set[int] = frozenset()) -> list[Revision]:
    """Return ``revisions``, ascending, with those marked that never came into force; ``in_force`` 0: not known.

    ``came``: those that were made elsewhere, whose parents say nothing of what was in force here.
    """
    marked = []
    for place, one in enumerate(revisions):
        followers = [other for other in revisions[place + 1 :] if not other.damage][:1]
        told = not came.isdisjoint({one.number, *(other.number for other in followers)})
        last = in_force in (0, one.number)
        follows = told or (followers[0].parent in ("", one.version) if followers else last)
        marked.append(one if follows or one.damage else one._replace(interrupted=True))
    return marked


def header(path: Path) -> Header | None:
    """Return number and version of the file at ``path``, None if there is none or it is damaged. Raises OSError."""
    try:
        found, version, _behaviours = load_head(read_file(path, MAX_FILE))
    except (FileNotFoundError, ValueError):
        return None
    return Header(found.revision, version)


def set_aside(directory: Path) -> None:
    """Begin to count anew: the revisions there are stay in ``OWN``, in the place of older ones. Raises OSError."""
    import shutil  # see ``store.BaselineStore.remove``

    shutil.rmtree(directory / OWN, ignore_errors=True)
    if (directory / DIRECTORY).exists():
        os.replace(directory / DIRECTORY, directory / OWN)
        sync_directory(directory)


def add(directory: Path, number: int, data: bytes) -> None:
    """Write a new revision and forget the oldest beyond the bound. Raises OSError."""
    make_directory(directory / DIRECTORY)
    replace_file(path_of(directory, number), data)
    for old in numbers(directory)[:-MAX_REVISIONS]:
        path_of(directory, old).unlink(missing_ok=True)
        envelope_of(directory, old).unlink(missing_ok=True)
    sync_directory(directory / DIRECTORY)
