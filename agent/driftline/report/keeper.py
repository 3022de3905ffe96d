"""The thread that looks after the spool.

In: a backlog, where its spool is. Out: what no connection takes is on disk within some ten milliseconds; what was
written is safe from a power failure; the cursor follows the acknowledgements; what is old goes. Why a thread: neither
the pipeline nor a deviation on its way to the collector may wait for a disk. Next: ``stream`` owns one.
"""

from __future__ import annotations

import logging
import threading
import time

from driftline.errors import StateError
from driftline.report.backlog import RETRY_SECONDS, Backlog
from driftline.report.spool import Spool, SpoolOptions

_log = logging.getLogger(__name__)

ROUND_SECONDS = 0.02
"""Pause between two looks at a busy spool: a connection takes what is live well within it, and writes it itself."""

CURSOR_SECONDS = 0.2
"""How far the cursor may be behind: what was acknowledged in between is sent again after a crash."""

TIDY_SECONDS = 1.0
"""How long a delivered file may still take room."""

IDLE_SECONDS = 60.0
"""How often an idle spool is looked at, for entries that have grown too old."""


class Keeper:
    """Opens the spool for ``backlog`` and keeps it until stopped."""

    def __init__(self, backlog: Backlog, options: SpoolOptions) -> None:
        self._backlog = backlog
        self._options = options
        self._stopping = threading.Event()
        self._synced = self._saved = self._tidied = 0.0  # time.monotonic()
        self._complaint = ""
        self._thread = threading.Thread(target=self._run, name="driftline-spool", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write everything that is left, within ``timeout`` seconds."""
        self._stopping.set()
        self._backlog.work.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._keep()
        except Exception:  # noqa: BLE001 - a bug in here must not keep deviations from the collector
            _log.exception("the spool is not looked after any more: deviations wait in memory only")
            self._backlog.attach(None)

    def _keep(self) -> None:
        spool = self._open()
        while spool is None and not self._stopping.wait(RETRY_SECONDS):
            spool = self._open()
        if spool is None:
            return
        while not self._stopping.is_set():
            self._backlog.work.wait(RETRY_SECONDS if self._complaint or self._backlog.down else IDLE_SECONDS)
            self._stopping.wait(ROUND_SECONDS)
            self._round(spool)
        self._backlog.keep(everything=True)
        spool.close()

    def _open(self) -> Spool | None:
        """Open the spool; until that succeeds, deviations wait in memory, and that is said once."""
        try:
            spool = Spool(self._options)
        except StateError as error:
            self._complain(f"{error.args[0]}; deviations wait in memory only")
            self._backlog.attach(None)
            return None
        if self._complaint:
            _log.warning("the spool is in use now")
            self._complaint = ""
        self._backlog.attach(spool)
        return spool

    def _round(self, spool: Spool) -> None:
        """One look: everything that is due."""
        self._backlog.work.clear()
        self._backlog.keep()
        now = time.monotonic()
        try:
            if spool.dirty and now - self._synced >= self._options.fsync_ms / 1000:
                self._synced = now
                spool.sync()
            if now - self._saved >= CURSOR_SECONDS:
                self._saved = now
                spool.save()
            if now - self._tidied >= TIDY_SECONDS:
                self._tidied = now
                spool.tidy()
        except OSError as error:
            self._complain(f"the spool's files cannot be changed ({error.strerror}): what was delivered may go again")
        else:
            self._complaint = ""
        if spool.dirty or (spool.unsaved and not self._complaint) or (self._backlog.waiting and not self._backlog.down):
            self._backlog.work.set()

    def _complain(self, sentence: str) -> None:
        """Say the same only once."""
        if sentence != self._complaint:
            _log.warning("%s", sentence)
        self._complaint = sentence
