"""Versions of baselines that must never come into force on this node again: ``STATE_DIR/revoked.json``.

In: revocations. Out: whether a version was revoked, and why. Why for good, and outside the baselines' own directories:
a bad version lies on in old revisions, in files people import, and on other nodes. Written by the agent's child alone,
whole or not at all. Next: ``store`` refuses what is in it, ``signing.child`` lets it not pass.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from driftline.baseline.keeping.files import read_file, replace_file, sync_directory
from driftline.errors import StateError
from driftline.text import escape

FILE = "revoked.json"
FORMAT = "driftline.revoked/1"
MAX_REVOKED = 10_000
"""Versions remembered; the oldest go first. Several a day for years."""
MAX_REASON = 1_000
"""Characters kept of a reason."""
MAX_FILE = 64 * 1024 * 1024
"""Bytes: the most there can be, with the longest names and reasons."""


class DamagedError(StateError):
    """The file is not what was written."""


class Revoked(NamedTuple):
    """One version, as a baseline is filed (``Baseline.name``) and as its content is digested."""

    name: str
    version: str
    reason: str  # as it was given: escape it before it is shown


def recall(state_dir: str) -> list[Revoked]:
    """Return what is remembered, oldest first. Raises StateError; DamagedError for what nobody can make sense of."""
    path = Path(state_dir, FILE)
    hint = "the agent sets a damaged one aside when it starts, and asks the collector again"
    try:
        found = json.loads(read_file(path, MAX_FILE))
        if found["format"] != FORMAT:
            raise ValueError(f"not {FORMAT}")
        return [Revoked(*map(_text, row)) for row in found["revoked"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}", "check its owner and mode") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: {error}", hint) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")
    return value


def reason_of(known: Iterable[Revoked], name: str, version: str) -> str | None:
    """Return why a version was revoked, escaped; None if it was not."""
    found = next((one for one in known if (one.name, one.version) == (name, version)), None)
    return None if found is None else escape(found.reason) or "no reason was given"


def remember(state_dir: str, revoked: Revoked) -> int:
    """Keep a revocation for good; one that is known stays as it is. Return how many were forgotten for lack of room.

    Raises StateError.
    """
    known = recall(state_dir)
    if reason_of(known, revoked.name, revoked.version) is not None:
        return 0
    known.append(revoked._replace(reason=revoked.reason[:MAX_REASON]))
    path, kept = Path(state_dir, FILE), known[-MAX_REVOKED:]
    try:
        replace_file(path, json.dumps({"format": FORMAT, "revoked": kept}).encode())
        sync_directory(path.parent)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}", "free space") from error
    return len(known) - len(kept)


def set_aside_damaged(state_dir: str) -> bool:
    """Rename a damaged file, so that another can be written; return whether there was one. Raises OSError."""
    path = Path(state_dir, FILE)
    try:
        recall(state_dir)
    except DamagedError:
        os.replace(path, path.with_name(f"{FILE}.bad"))
        return True
    except StateError:
        pass  # whoever needs it says so
    return False


def refuse(state_dir: str, name: str, version: str) -> None:
    """Raise StateError if a version was revoked."""
    reason = reason_of(recall(state_dir), name, version)
    if reason is not None:
        hint = "take another version: `driftline baseline history` lists them"
        raise StateError(f"{version} of {escape(name)} was revoked: {reason}", hint)
