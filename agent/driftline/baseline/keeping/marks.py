"""When an image's baseline was last used, and of which image it is: a small file beside each baseline.

In: baselines in use. Out: the baselines of one repository, newest first; those long unused. Why: neither question may
cost reading every baseline of the node. The file's modification time is the time; it holds name and image as JSON.
Next: ``beginning`` looks for a predecessor, ``upkeep`` removes what is long unused.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from driftline.baseline.keeping.files import read_file, replace_file

MARK = "used.json"
MAX_MARK = 16 * 1024
"""Bytes: an image reference has some hundred."""
MAX_LOOKED_AT = 10_000
"""Directories looked through: a node that met ten thousand images has older ones removed, see ``upkeep``."""


class Mark(NamedTuple):
    """A baseline kept on this node."""

    name: str  # Baseline.name
    image: str  # reference
    used: float  # Unix seconds


def mark(directory: Path, name: str, image: str) -> None:
    """Note that the baseline in ``directory`` is used now. Raises OSError."""
    file = directory / MARK
    if read(directory) is None:
        replace_file(file, json.dumps({"name": name, "image": image}).encode())
    now = time.time()
    os.utime(file, (now, now))


def read(directory: Path) -> Mark | None:
    """Return what is noted in ``directory``, None if that is nothing or makes no sense."""
    file = directory / MARK
    try:
        found = json.loads(read_file(file, MAX_MARK))
        return Mark(str(found["name"]), str(found["image"]), os.stat(file).st_mtime)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def directories(root: Path) -> list[str]:
    """Return the directories of baselines below ``root``, by name; none if it cannot be read."""
    try:
        with os.scandir(root) as found:
            names = sorted(one.name for one in found if not one.name.startswith(".") and one.is_dir())
    except OSError:
        return []
    return names[:MAX_LOOKED_AT]


def marks(root: Path) -> Iterator[Mark]:
    """Yield what is noted of the baselines below ``root``."""
    for name in directories(root):
        found = read(root / name)
        if found is not None:
            yield found
