"""A published baseline on its way in: its pieces, written to a file as they come.

In: pieces of a stream. Out: the file of a whole one. Why a file: 64 MiB are more than the agent has, and the child that
takes it reads it anyway. Next: ``exchange`` has it taken.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from driftline.wire.gen.driftline.v1 import baseline_pb2 as pb
from driftline.wire.pieces import PieceError, PieceOrder

DIRECTORY = "incoming"


class Incoming:
    """Writes to ``STATE_DIR/incoming``, one file at a time. Not thread-safe."""

    def __init__(self, state_dir: str) -> None:
        self._directory = Path(state_dir, DIRECTORY)
        self._number = 0
        self._order = PieceOrder()
        self._file: BinaryIO | None = None

    def clear(self) -> None:
        """Remove what another agent left. Raises OSError."""
        try:
            left = list(self._directory.iterdir())
        except FileNotFoundError:
            return
        for path in left:
            path.unlink()

    def take(self, part: pb.BaselinePart) -> Path | None:
        """Return the file with the baseline that ``part`` completes, None while pieces are missing.

        Raises PieceError for one that does not fit, OSError if the disk refuses: what was gathered is dropped then, and
        only a piece at offset 0 begins anew.
        """
        try:
            complete = self._order.take(part)
            if part.offset == 0:
                self._begin()
            if self._file is None:
                raise PieceError("a piece of a baseline that was given up")
            self._file.write(part.data)
            if not complete:
                return None
            self._file.close()
        except (PieceError, OSError):
            self.drop()
            raise
        self._file = None
        return self._path

    def drop(self) -> None:
        """Give up what was gathered."""
        file, self._file = self._file, None
        if file is None:
            return
        for step in (file.close, self._path.unlink):
            with suppress(OSError):  # it is given up, perhaps because the disk is full
                step()

    def _begin(self) -> None:
        self.drop()
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._number += 1
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")

    @property
    def _path(self) -> Path:
        return self._directory / str(self._number)
