"""When written bytes become safe from a power failure.

In: descriptors that were written to. Out: fsync, in the caller's time. Why apart from writing: a deviation must not
wait on its way to the collector until a slow disk has turned. Next: ``spool`` owns one, ``keeper`` calls it.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Literal

_log = logging.getLogger(__name__)


class Flusher:
    """Keeps ``policy`` for the files of ``directory``. All but ``flush`` are called under the spool's lock."""

    def __init__(self, directory: Path, policy: Literal["always", "batch", "never"]) -> None:
        self._directory = directory
        self._policy = policy
        self._written: int | None = None  # the descriptor still being appended to
        self._sealed: list[int] = []  # ours to sync and close
        self._names = False  # a file was made
        self._complained = False

    @property
    def dirty(self) -> bool:
        """Whether ``flush`` has something to do."""
        return self._written is not None or self._names or bool(self._sealed)

    def wrote(self, descriptor: int) -> bool:
        """Bytes were written to ``descriptor``; False if they must be safe at once and are not."""
        if self._policy == "batch":
            self._written = descriptor
        return self._policy != "always" or self._said(_synced(descriptor))

    def sealed(self, descriptor: int) -> None:
        """``descriptor`` will not be written to any more; it is closed now or later."""
        if self._written == descriptor:
            self._written = None
            self._sealed.append(descriptor)
        else:
            os.close(descriptor)

    def made_file(self) -> bool:
        """A file was made; False if its name must be safe at once and is not."""
        self._names = self._policy == "batch"
        return self._policy != "always" or self._said(self._sync_directory())

    def flush(self, lock: threading.RLock) -> bool:
        """Sync everything; ``lock`` is held only to find out what. False, and said once, if the disk refused.

        Raises OSError if there are no descriptors left; nothing is forgotten then.
        """
        with lock:
            written = [] if self._written is None else [os.dup(self._written)]
            waiting, self._sealed = [*self._sealed, *written], []
            names, self._names, self._written = self._names, False, None
        results = []
        for descriptor in waiting:
            results.append(_synced(descriptor))
            os.close(descriptor)
        if names:
            results.append(self._sync_directory())
        return self._said(all(results))

    def _said(self, good: bool) -> bool:
        """Return ``good``; a change for the worse is told."""
        if not good and not self._complained:
            _log.warning("the spool cannot be synced: a power failure may lose entries that were not yet delivered")
        self._complained = not good
        return good

    def _sync_directory(self) -> bool:
        try:
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False
        good = _synced(descriptor)
        os.close(descriptor)
        return good


def _synced(descriptor: int) -> bool:
    try:
        os.fsync(descriptor)
    except OSError:
        return False
    return True
