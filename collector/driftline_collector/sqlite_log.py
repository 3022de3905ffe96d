"""The write-ahead log of a SQLite store whose disk fails, carried over the disk's repair.

In: the log as the kernel still shows it. Out: the same log on the repaired disk. Why: a commit is acknowledged before a
disk flush (``sqlite_file``), so to what was committed last a disk that turns read-only is a power cut, but the process
lives and can bring it again. Why bytes are enough: the log holds everything since the database was last flushed, and
SQLite takes from it what is whole. Next: ``store_sqlite``.
"""

from __future__ import annotations

import os
from pathlib import Path

HEADER = 32
"""Bytes that begin a log; its salts are drawn anew whenever one begins (https://sqlite.org/fileformat2.html#walformat),
and are flushed at once: a log with the same ones is the same log, some of it missing."""


def keep(database: Path) -> bytes:
    """Return the log of ``database``, some MiB above ``sqlite_file.LOG_PAGES`` at most; b"" if it cannot be read."""
    try:
        return _log(database).read_bytes()
    except OSError:
        return b""


def put_back(database: Path, kept: bytes) -> None:
    """Make the log of ``database``, which nobody has open, what was ``kept``, unless it is another one by now.

    Raises OSError.
    """
    try:
        file = _log(database).open("r+b")
    except FileNotFoundError:  # folded into the database
        return
    with file:
        if len(kept) <= HEADER or file.read(HEADER) != kept[:HEADER]:
            return
        file.seek(0)
        file.write(kept)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _log(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")
