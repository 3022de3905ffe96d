"""What the child that verifies tells the agent, as plain values.

In: a request for some baselines. Out: for each what its file and its signatures are worth. Why a module of its own: the
agent imports it, and nothing that knows what a key is. Next: ``child`` fills it, ``ruling`` decides by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from driftline.baseline.keeping.store import directory_name

BASELINES = "baselines"
REMEMBERED = "signed"
"""Directory of the state directory with what was accepted: it outlives a baseline's own directory."""
ENVELOPE = "envelope.dsse.json"
TRUST = "trust"
"""Directory of the state directory with the trusted keys, unless the setting ``trust_dir`` says otherwise."""


class Worth(StrEnum):
    """What a baseline file is worth."""

    GOOD = "good"  # enough trusted keys signed exactly this file
    BAD = "bad"  # somebody signed something, but not that
    UNSIGNED = "unsigned"  # nobody signed this revision
    LEARNING = "learning"  # there is nothing to sign yet
    ABSENT = "absent"  # there is no file


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One baseline file and its envelope."""

    worth: Worth
    why: str = ""  # why it is not good, for people
    sha256: str = ""  # of the file, hex
    revision: int = 0
    retired: bool = False
    untrusted: bool = False  # of a bad one: it is whole, but not enough trusted keys signed it
    own: bool = False  # no person changed it since this node learned it
    expires_ns: int = 0  # of a good one; Unix ns, 0: never


ABSENT = Judged(worth=Worth.ABSENT, why="it is gone")


@dataclass(frozen=True, slots=True)
class Request:
    """What to verify. ``trust_dir``: public keys; ``threshold``: how many of them must have signed."""

    state_dir: str
    trust_dir: str
    threshold: int
    names: tuple[str, ...]  # of baselines


@dataclass(frozen=True, slots=True)
class Answer:
    """One baseline: what is in its own directory, and what was kept of it when it was last accepted.

    ``earlier``: if what was kept is signed by too few trusted keys now, the newest revision before it that is good.
    """

    name: str
    now: Judged
    kept: Judged
    earlier: Judged = ABSENT


def own_directory(state_dir: str, name: str) -> Path:
    """Where a baseline is kept, see ``store``."""
    return Path(state_dir, BASELINES, directory_name(name))


def kept_directory(state_dir: str, name: str) -> Path:
    """Where the last good one is kept, as MSGPACK, ENVELOPE and what is remembered of it."""
    return Path(state_dir, REMEMBERED, directory_name(name))
