"""The agent's state directory as a whole: whether it can be used, and the file that says how the agent does.

In: its path; what the agent counts. Out: the path, or nothing; ``status.json``, which ``driftline doctor`` reads. Next:
``lifecycle``; what lies in the directory belongs to ``baseline.keeping``, ``report.spool`` and the others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from driftline.errors import StateError

STATUS = "status.json"


def prepare(path: Path, say: Callable[[str], None]) -> Path | None:
    """Return ``path``, made if missing; None if there is no such directory. One that cannot be written is told."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / f".write-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        say(f"state directory {path} cannot be written ({error.strerror}): baselines are kept in memory only")
        return path if path.is_dir() else None
    return path


def write_status(path: Path, status: Mapping[str, object]) -> None:
    """Replace the status file whole. Raises StateError."""
    temporary = path / f"{STATUS}.new"
    try:
        temporary.write_text(json.dumps(status, sort_keys=True))
        temporary.replace(path / STATUS)
    except OSError as error:
        raise StateError(f"cannot write the status file: {error.strerror}") from error
