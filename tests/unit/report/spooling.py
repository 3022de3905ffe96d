"""Spools for tests: entries as a deviation gives them, and everything a spool holds."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from driftline.report.frame import Entry
from driftline.report.spool import Item, Spool, SpoolOptions

MIB = 1024 * 1024


def options(directory: Path, **changes: Any) -> SpoolOptions:
    """Return options with ``changes``; a failing power supply is not what most tests are about."""
    values: dict[str, Any] = {"capacity": 64 * MIB, "days": 7.0, "fsync": "never", "fsync_ms": 100}
    return SpoolOptions(directory / "spool", **(values | changes))


def items(count: int, severity: int = 3, size: int = 300) -> list[Item]:
    """Return so many different items."""
    return [Item(severity, str(uuid.uuid4()), index.to_bytes(4, "big") * (size // 4)) for index in range(count)]


def drain(spool: Spool, most: int = 512) -> list[Entry]:
    """Read everything and acknowledge it."""
    entries: list[Entry] = []
    while (chunk := spool.read(most, MIB)) is not None:
        entries.extend(chunk.entries)
        spool.acknowledge(chunk.first, chunk.last)
    return entries


def ids(entries: list[Entry] | list[Item]) -> list[str]:
    """Return the ids in order."""
    return [entry.id for entry in entries]


def files(directory: Path) -> list[Path]:
    """Return the segments' files, oldest first."""
    return sorted((directory / "spool").glob("*.spool"))
