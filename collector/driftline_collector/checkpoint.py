"""The thread that folds the write-ahead log into the database.

In: the store. Out: a log that stays short. Why not SQLite's own automatic checkpoint: it flushes the disk in the middle
of a commit, and every two hundredth deviation would reach its followers 10 ms late. Next: nobody.
"""

from __future__ import annotations

import logging
import threading

from driftline.errors import StateError
from driftline_collector.store import Store

_log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""Between checkpoints: at full ingest the log grows by some 30 MiB meanwhile, far below schema.LOG_PAGES."""


class Checkpointer:
    """Checkpoints ``store`` between ``start`` and ``stop`` whenever it has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="driftline-checkpoint", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        done = self._store.revision
        while not self._stopping.wait(PAUSE_SECONDS):
            revision = self._store.revision
            if revision == done:
                continue
            try:
                self._store.checkpoint()
                done = revision
            except StateError as error:  # not fatal: the log only grows, and a full disk fails the next commit
                _log.warning("%s", error.args[0])
