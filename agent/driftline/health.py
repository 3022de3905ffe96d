"""How the agent is, as pages: ``/healthz``, ``/readyz``, ``/metrics``.

In: signs of life of the main loop. Out: answers for ``wire.responder``, whose thread asks. Why the main loop makes the
metrics: they are its own, unlocked state, and a loop that hangs is seen at once. Why a port that is taken is no reason
to end: an agent that nobody probes is better than none. Next: ``lifecycle``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from driftline.errors import SettingsError
from driftline.wire.exposition import CONTENT_TYPE
from driftline.wire.responder import Answer, Responder

STALL_SECONDS = 15.0
"""A main loop that did not come round for so long is stuck: it comes round four times a second."""

ANSWER_SECONDS = 2.0
"""How long the main loop may take to make the metrics."""

_log = logging.getLogger(__name__)


class Health:
    """What is shown on ``address`` (HOST:PORT, empty: nothing). ``wake`` makes the main loop come round."""

    def __init__(self, address: str, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._round = 0.0  # time.monotonic() of the last one, 0 before the first
        self._state = "starting"
        self._asked = False
        self._page = ""
        self._made = threading.Event()
        self._responder: Responder | None = None
        self.trouble = ""
        """Why nothing is shown, if something should be."""
        if address:
            self._open(address)

    def _open(self, address: str) -> None:
        try:
            self._responder = Responder(address, self._answer)
        except SettingsError as error:
            self.trouble = str(error.args[0])
        else:
            self._responder.start()

    @property
    def address(self) -> str:
        """Where it is shown, empty: nowhere."""
        return self._responder.address if self._responder else ""

    def armed(self) -> None:
        """From now on the agent is ready."""
        self._state = ""

    def stopping(self) -> None:
        """From now on it is not."""
        self._state, self._round = "stopping", 0.0

    def come_round(self, page: Callable[[], str]) -> None:
        """Note that the main loop is alive; make the page if somebody waits for it."""
        self._round = time.monotonic()
        if not self._asked:
            return
        self._asked = False
        try:
            self._page = page()
        except Exception:  # noqa: BLE001 - a figure that cannot be told must not end the agent
            _log.exception("the metrics cannot be made: please report this")
            self._page = ""
        self._made.set()

    def stop(self) -> None:
        """Show nothing any more."""
        if self._responder:
            self._responder.stop()

    # --- the responder's thread --------------------------------------------------------------------------------------

    def _answer(self, path: str) -> Answer | None:
        if path == "/healthz":
            stuck = self._round and time.monotonic() - self._round > STALL_SECONDS
            return Answer(503, "the main loop is stuck\n") if stuck else Answer(200, "ok\n")
        if path == "/readyz":
            return Answer(503, f"{self._state}\n") if self._state else Answer(200, "ok\n")
        return self._metrics() if path == "/metrics" else None

    def _metrics(self) -> Answer:
        if self._state:
            return Answer(503, f"{self._state}\n")
        self._made.clear()
        self._asked = True
        self._wake()
        if not self._made.wait(ANSWER_SECONDS) or not self._page:
            return Answer(503, "the main loop does not answer\n")
        return Answer(200, self._page, CONTENT_TYPE)
