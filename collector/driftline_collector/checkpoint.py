"""The thread that folds the write-ahead log into the database.

In: the store. Out: a log that stays short. Why not SQLite's own automatic checkpoint: it flushes the disk in the middle
of a commit, and every two hundredth deviation would reach its followers 10 ms late. Next: nobody.
"""

from __future__ import annotations

import logging
import threading
import time

from driftline.errors import StateError
from driftline_collector.store_sqlite import SqliteStore

_log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""Between looks at what changed: at full ingest the log grows by some 30 MiB meanwhile, far below LOG_PAGES."""

CHANGES = 2_000
"""Changes worth a checkpoint, some 5 MiB of log: the first commit after one waits for the disk (SQLite begins the log
anew and flushes its head), so with few deviations hardly any may be that one."""

LONGEST_SECONDS = 60.0
"""Few changes are folded in after so long all the same: whoever opens the database has to read what the log holds."""


class Checkpointer:
    """Checkpoints ``store`` between ``start`` and ``stop`` whenever it has changed."""

    def __init__(self, store: SqliteStore) -> None:
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
        done, at, complained = self._store.revision, time.monotonic(), False
        while not self._stopping.wait(PAUSE_SECONDS):
            revision, now = self._store.revision, time.monotonic()
            if revision == done or (revision - done < CHANGES and now - at < LONGEST_SECONDS):
                continue
            try:
                self._store.checkpoint()
                done, at, complained = revision, now, False
            except StateError as error:  # not fatal: the log only grows, and a full disk fails the next commit
                if not complained:
                    _log.warning("%s; the log cannot be folded into the database yet", error.args[0])
                complained = True
