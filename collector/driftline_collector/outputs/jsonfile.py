"""The ``file`` output: one JSON object per line, rotated.

In: batches. Out: lines at the end of a file, made safe on the disk before the cursor moves (``fsync: batch``). Why the
file is looked at before each batch: logrotate moves it away, and what is written to the moved one is read by nobody.
Why a failed write is taken back: half a line would spoil the next one. Next: whatever follows the file.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from driftline.errors import SettingsError
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outputs.sending import Taken, Unavailable

STANDARD_OUTPUT = "/dev/stdout"
"""The name for our own standard output, as containers use it; opening it by name fails where it is a socket."""


class FileSender:
    """Appends to ``path``. When it would grow beyond ``rotate_bytes`` it becomes PATH.1, and so on up to PATH.``keep``.

    Raises SettingsError if the path is something else than a file that can be written.
    """

    batch_deviations = 256
    batch_bytes = 1024 * 1024

    def __init__(
        self, path: Path, encode: Callable[[pb.StoredDeviation], str], rotate_bytes: int, keep: int, fsync: bool
    ) -> None:
        self._path = path
        self._encode = encode
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._fsync = fsync
        self._descriptor = -1
        self._anew = threading.Event()
        try:
            self._open()
        except OSError as error:
            raise SettingsError(
                f"{escape(str(path))} cannot be written: {error.strerror}", "its directory must exist"
            ) from error

    def send(self, batch: Sequence[pb.StoredDeviation]) -> Taken:
        """Write the batch. Raises Unavailable when the disk refuses; nothing of the batch is in the file then."""
        lines = "".join(f"{self._encode(item)}\n" for item in batch).encode()
        try:
            self._make_ready(len(lines))
            self._write(lines)
        except OSError as error:
            raise Unavailable(f"{escape(str(self._path))} cannot be written: {error.strerror}") from error
        return Taken()

    def reopen(self) -> None:
        """Open the path anew with the next batch."""
        self._anew.set()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _make_ready(self, size: int) -> None:
        """Leave the file open that is behind the path, with room for ``size`` bytes."""
        if self._descriptor < 0 or self._anew.is_set() or not self._is_ours():
            self._anew.clear()
            self.close()
            self._open()
        if self._regular and self._rotate_bytes:
            present = os.fstat(self._descriptor).st_size
            if present and present + size > self._rotate_bytes:
                self._rotate()

    def _is_ours(self) -> bool:
        if not self._regular:
            return True
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return False
        ours = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def _open(self) -> None:
        if str(self._path) == STANDARD_OUTPUT:
            self._descriptor = os.dup(1)
        else:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
            self._descriptor = os.open(self._path, flags, 0o600)
            os.set_blocking(self._descriptor, True)
        status = os.fstat(self._descriptor)
        self._regular = stat.S_ISREG(status.st_mode) and str(self._path) != STANDARD_OUTPUT
        # After a power failure the file may end in the middle of a line: the next one must not be spoilt too
        if self._regular and status.st_size and os.pread(self._descriptor, 1, status.st_size - 1) != b"\n":
            os.write(self._descriptor, b"\n")

    def _rotate(self) -> None:
        names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, self._keep + 1))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)
        if not self._keep:
            self._path.unlink()
        self.close()
        self._open()

    def _write(self, lines: bytes) -> None:
        before = os.fstat(self._descriptor).st_size if self._regular else 0
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            if self._fsync and self._regular:
                os.fsync(self._descriptor)
        except OSError:
            if self._regular:
                os.ftruncate(self._descriptor, before)
            raise
