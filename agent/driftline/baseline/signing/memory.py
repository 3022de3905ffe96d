"""What the agent remembers of baselines it accepted, and the last good ones themselves.

In: an accepted baseline. Out: its revision, so that an older one is known for what it is. Why under
``STATE_DIR/signed``: it must outlive the baseline's own directory, whoever removes that. Next: ``ruling`` decides by
it, ``guard`` writes it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from driftline.baseline.format.plaintext import MAX_PLAIN_FILE
from driftline.baseline.keeping.files import make_directory, read_file, replace_file, sync_directory
from driftline.baseline.keeping.marks import directories
from driftline.baseline.keeping.store import MSGPACK
from driftline.baseline.signing.judged import BASELINES, ENVELOPE, REMEMBERED, kept_directory

SEEN = "seen.json"
MAX_SEEN_FILE = 16 * 1024
"""Bytes: five short values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The last good baseline of one name. ``signed`` False: this node learned it itself."""

    name: str
    signed: bool
    revision: int
    sha256: str  # of its file, hex
    retired: bool
    expires_ns: int


def recall(state_dir: str, name: str) -> Seen | None:
    """Return what is remembered, None if that is nothing. Raises OSError; ValueError if it is damaged."""
    try:
        values = json.loads(read_file(kept_directory(state_dir, name) / SEEN, MAX_SEEN_FILE))
    except FileNotFoundError:
        return None
    try:
        seen = Seen(**values)
    except TypeError as error:
        raise ValueError(f"not what is remembered of a baseline: {error}") from error
    if seen.name != name:
        raise ValueError("of another baseline")
    return seen


def remember(state_dir: str, seen: Seen, data: bytes, envelope: bytes | None) -> None:
    """Keep a baseline as the last good one. Raises OSError."""
    directory = kept_directory(state_dir, seen.name)
    make_directory(directory)
    if envelope is None:
        (directory / ENVELOPE).unlink(missing_ok=True)
    else:
        replace_file(directory / ENVELOPE, envelope)
    replace_file(directory / MSGPACK, data)
    replace_file(directory / SEEN, json.dumps(asdict(seen)).encode())  # last: without it the rest says nothing
    sync_directory(directory)


def kept_envelope(state_dir: str, name: str) -> bytes | None:
    """Return the envelope kept of a baseline, None if there is none. Raises OSError."""
    try:
        return read_file(kept_directory(state_dir, name) / ENVELOPE, MAX_PLAIN_FILE)
    except (FileNotFoundError, ValueError):
        return None


def forget(state_dir: str, name: str) -> None:
    """Remember nothing of a baseline any more. Raises OSError."""
    shutil.rmtree(kept_directory(state_dir, name), ignore_errors=True)


def sweep(state_dir: str) -> None:
    """Forget what was learned here and never signed, and is gone. Raises OSError."""
    for directory in directories(Path(state_dir, REMEMBERED)):
        path = Path(state_dir, REMEMBERED, directory, SEEN)
        try:
            signed = json.loads(read_file(path, MAX_SEEN_FILE)).get("signed") is not False
        except (FileNotFoundError, ValueError, AttributeError):
            continue
        if not signed and not Path(state_dir, BASELINES, directory).exists():
            shutil.rmtree(path.parent, ignore_errors=True)
