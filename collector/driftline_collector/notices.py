"""Word of what other replicas commit: PostgreSQL's LISTEN.

In: a store. Out: revisions up to which everything is committed. Why a notice only makes us look at the table: one that
was sent while we were not connected never comes, and anybody who can log in to the database can send one. So each new
connection, and each few seconds of silence, begin with a look too. A thread of its own, ``driftline-notices``. Next:
``replicas``.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable

from driftline.errors import DriftlineError
from driftline.wire.backoff import Backoff
from driftline_collector import postgres
from driftline_collector.store_postgres import BASELINES_CHANNEL, CHANNEL, LAST, PostgresStore

LOOK_SECONDS = 5.0
"""Between looks at the table: also how long a connection may be dead before anybody notices."""

STOP_SECONDS = 2.0
"""Time for the thread to end: a database that hangs keeps nobody from stopping."""

LONGEST_PAUSE_SECONDS = 5.0
"""Between attempts to connect: tails lag by this much after an outage at most."""

_log = logging.getLogger(__name__)


class Notices:
    """Calls ``told``, in its own thread, with every revision it hears of. ``failed`` is called if it ends by a bug."""

    def __init__(
        self, store: PostgresStore, told: Callable[[int], object], failed: Callable[[Exception], object]
    ) -> None:
        self._store = store
        self._told = told
        self._failed = failed
        self._stopping = threading.Event()
        self._woken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # by ``stop``
        self._complained = False
        self._thread = threading.Thread(target=self._run, name="driftline-notices", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        os.eventfd_write(self._woken, 1)
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            os.close(self._woken)

    def _run(self) -> None:
        backoff = Backoff(longest=LONGEST_PAUSE_SECONDS)
        try:
            while not self._stopping.is_set():
                try:
                    with postgres.connect(self._store.address) as connection:
                        self._listen(connection, backoff)
                except (postgres.Error, DriftlineError) as error:
                    self._complain(error)
                    self._stopping.wait(backoff.next())
        except Exception as error:  # noqa: BLE001 - a bug here must stop the collector, not only this thread
            if not self._stopping.is_set():
                self._failed(error)

    def _listen(self, connection: postgres.Connection, backoff: Backoff) -> None:
        for channel in (CHANNEL, BASELINES_CHANNEL):
            connection.execute(f"LISTEN {channel}")
        while not self._stopping.is_set():
            self._told(connection.execute(LAST).fetchall()[0][0])
            backoff.reset()
            if self._complained:
                _log.warning("followers hear of other replicas' deviations again")
                self._complained = False
            self._wait_for_word(connection)

    def _wait_for_word(self, connection: postgres.Connection) -> None:
        """Return when another replica has committed, or after LOOK_SECONDS."""
        until, poll = time.monotonic() + LOOK_SECONDS, select.poll()
        for descriptor in (connection.fileno(), self._woken):
            poll.register(descriptor, select.POLLIN)
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            heard = list(connection.notifies(timeout=0))  # what came with an answer is not on the socket any more
            if any(notice.payload != self._store.replica for notice in heard):
                return
            if not heard:
                poll.poll(left * 1000)

    def _complain(self, error: Exception) -> None:
        if not self._complained and not self._stopping.is_set():
            shown = error if isinstance(error, DriftlineError) else self._store.explain(error)
            _log.warning("%s; followers hear of other replicas' deviations later. Try: %s", shown.args[0], shown.hint)
        self._complained = True
