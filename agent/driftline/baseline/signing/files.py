"""Where signatures lie: ``signatures/<version>.dsse.json`` in a baseline's directory, and beside its revisions.

In: a baseline's directory and version. Out: the envelope's bytes. Why by version: a new revision with other contents
needs new signatures, and the old ones stay for whoever looks back. Why beside the revision, too: whoever signs the same
contents as a later revision must not take away what others signed. Nothing here knows what a signature is: the agent
imports this module. Next: ``store`` writes, ``child`` reads.
"""

from __future__ import annotations

from pathlib import Path

from driftline.baseline.keeping.files import make_directory, read_file, replace_file, sync_directory
from driftline.baseline.keeping.history import envelope_of

DIRECTORY = "signatures"
SUFFIX = ".dsse.json"
MAX_FILES = 1_000
"""Envelopes kept of one baseline, as many as revisions; the oldest go first."""
_HEX = frozenset("0123456789abcdef")


def path_of(directory: Path, version: str) -> Path:
    """Return the file of the envelope of a version, ``sha256:`` and 64 digits. Raises ValueError for anything else."""
    digits = version.removeprefix("sha256:")
    if len(digits) != 64 or not _HEX.issuperset(digits):
        raise ValueError("no version of a baseline")
    return directory / DIRECTORY / f"{digits}{SUFFIX}"


def read(directory: Path, version: str, limit: int) -> bytes | None:
    """Return the envelope of a version, None if there is none. Raises OSError; ValueError beyond ``limit`` bytes."""
    try:
        return read_file(path_of(directory, version), limit)
    except FileNotFoundError:
        return None


def read_of(directory: Path, number: int, version: str, limit: int) -> bytes | None:
    """Return the envelope of a revision, None if there is none. Raises OSError; ValueError beyond ``limit`` bytes."""
    try:
        return read_file(envelope_of(directory, number), limit)
    except FileNotFoundError:
        return read(directory, version, limit)


def write(directory: Path, version: str, data: bytes, number: int) -> None:
    """Keep the envelope of a version, revision ``number``, and forget the oldest beyond the bound. Raises OSError."""
    path, beside = path_of(directory, version), envelope_of(directory, number)
    for one in (path, beside):
        make_directory(one.parent)
        replace_file(one, data)
    files = sorted(path.parent.glob(f"*{SUFFIX}"), key=lambda one: one.stat().st_mtime_ns)
    for old in files[:-MAX_FILES]:
        old.unlink(missing_ok=True)
    sync_directory(path.parent)
    sync_directory(beside.parent)


def is_envelope(data: bytes) -> bool:
    """Whether ``data`` looks like an envelope, and not like a baseline."""
    return data.lstrip()[:1] == b"{" and b'"payloadType"' in data
