"""What a node is to a collector that publishes baselines: its ``state_id``.

In: the state directory, and what decides which baselines this node takes. Out: a text that is another one once all it
had is gone, or once what it refused might be taken. Why the second: a collector offers each version once under one
``state_id``, and a key that was missing then may be trusted now. Next: ``report.courier`` tells it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from driftline.baseline.keeping.files import make_directory, read_file, replace_file, sync_directory
from driftline.baseline.signing.judged import BASELINES
from driftline.errors import StateError

FILE = ".state-id"
"""Beside the baselines: whoever removes those, removes it."""
_DIGITS = 32
_HEX = frozenset("0123456789abcdef")
MAX_KEYS = 64
MAX_KEY_FILE = 16 * 1024
"""As ``signing.keys`` has them, which the agent does not import."""


class Terms(NamedTuple):
    """On which this node takes a baseline. ``trust_dir``: public keys; ``threshold``: how many must have signed."""

    trust_dir: str
    threshold: int
    unsigned: bool  # without signatures too


def number(state_dir: str) -> str:
    """Return what was drawn at random for this state directory, now if never. Raises StateError."""
    path = Path(state_dir, BASELINES, FILE)
    try:
        found = read_file(path, _DIGITS).decode("ascii")
        if len(found) == _DIGITS and _HEX.issuperset(found):
            return found
    except (FileNotFoundError, ValueError):
        pass  # another is drawn
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}", "check its owner and mode") from error
    drawn = os.urandom(_DIGITS // 2).hex()
    try:
        make_directory(path.parent)
        replace_file(path, drawn.encode())
        sync_directory(path.parent)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}", "free space") from error
    return drawn


def forget(state_dir: str) -> None:
    """Have another number drawn next: the collector tells all it published and revoked again. Raises OSError."""
    Path(state_dir, BASELINES, FILE).unlink(missing_ok=True)


def state_id(drawn: str, terms: Terms) -> str:
    """Return the ``state_id`` of a node that drew ``drawn`` and takes baselines on ``terms``."""
    digest = hashlib.sha256(f"{terms.threshold} {terms.unsigned}".encode())
    for key in _keys(Path(terms.trust_dir)):
        digest.update(hashlib.sha256(key).digest())
    return f"{drawn}-{digest.hexdigest()[:16]}"


def _keys(directory: Path) -> list[bytes]:
    """What the files of a directory hold, in any order of their names; none that cannot be read."""
    found = []
    try:
        for path in sorted(directory.iterdir())[:MAX_KEYS]:
            if path.suffix in (".pem", ".pub"):
                found.append(read_file(path.resolve(), MAX_KEY_FILE))
    except (OSError, ValueError):
        return []  # then none of them counts: one bad file fails all
    return sorted(found)
