"""A learned baseline as it travels to the collector: read from the disk, compressed.

In: which one. Out: its bytes. Why from the revision's own file, and never parsed: that file never changes, and whoever
takes it parses and checks it. Next: ``report.courier`` sends it in pieces.
"""

from __future__ import annotations

import os
import zlib
from typing import BinaryIO

from driftline.baseline.format.canonical import MAX_FILE, is_of_version
from driftline.baseline.keeping import history
from driftline.baseline.signing.judged import own_directory

CHUNK = 256 * 1024
"""Bytes of the file in memory at a time."""


def compressed(state_dir: str, name: str, version: str, revision: int) -> bytes | None:
    """Return a revision, zlib; None if it is not there any more, another one now, or too large. Raises OSError."""
    path = history.path_of(own_directory(state_dir, name), revision)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        if os.fstat(descriptor).st_size > MAX_FILE:
            return None
        return _deflated(file, version)


def _deflated(file: BinaryIO, version: str) -> bytes | None:
    chunk = file.read(CHUNK)
    if not is_of_version(chunk, version):
        return None
    deflater, found = zlib.compressobj(), bytearray()
    while chunk:
        found += deflater.compress(chunk)
        chunk = file.read(CHUNK)
    return bytes(found + deflater.flush())
