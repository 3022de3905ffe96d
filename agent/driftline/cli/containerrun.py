"""One container run in front of the sensor: started when everything is seen, waited for, removed.

In: an ``Engine``. Out: the questions ``capture.record`` asks: is it over? whom was named? Why nothing here waits: the
rings must be read all the time, or events are lost. Next: ``gate``.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from types import TracebackType

from driftline.cli.enginecommands import Engine
from driftline.cli.stopping import stop_on_signals
from driftline.errors import EngineError
from driftline.nouns import Subject

SETTLE_SECONDS = 0.5
"""After the end: what the container did last is read, its cgroup's end seen."""
NAME_SECONDS = 5.0
"""After the end: longest wait for the engine to say which image it was."""
STOP_SECONDS = 30.0
"""Longest a container may take to end when asked to: three times what engines wait before they kill."""

_STANDARD_ERROR = 2  # the container's words go there: standard output is the result's


class Contained:
    """Use as a context manager: at the end nothing of the container is left."""

    def __init__(self, engine: Engine, words: list[str], seconds: float) -> None:
        self.engine = engine
        self.stopped = False  # by us
        self._words, self._seconds = words, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._stopper: subprocess.Popen[bytes] | None = None
        self._asked: Callable[[], bool] = stop_on_signals()
        self._deadline = self._killed_at = self._ended = float("inf")
        self._subjects: dict[str, Subject] = {}

    def __enter__(self) -> Contained:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._stopper, self._process):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self.engine.clean()

    def over(self) -> bool:
        """Start it when first asked; afterwards tell whether it ended and all of it was seen. Raises EngineError."""
        now = time.monotonic()
        if self._process is None:
            self._start(now)
        elif self._process.poll() is None:
            self._limit(now)
        else:
            self._ended = min(self._ended, now)
            quiet = now - self._ended
            return quiet >= SETTLE_SECONDS and (self._is_named() or quiet >= NAME_SECONDS)
        return False

    def see(self, subject: Subject) -> None:
        """Note what is known of a container."""
        self._subjects[subject.container_id] = subject

    @property
    def status(self) -> int:
        """Exit status of the container, 0 if we ended it."""
        return 0 if self.stopped or self._process is None else self._process.returncode

    def identifier(self) -> str:
        """Its id. Raises EngineError if no container was seen."""
        identifier = self.engine.identifier()
        if not identifier or identifier not in self._subjects:
            raise EngineError(f"{self.engine.name} ran no container that was seen here (status {self.status})")
        return identifier

    def _start(self, now: float) -> None:
        self._deadline = now + self._seconds if self._seconds else float("inf")
        try:
            self._process = self._run(self.engine.run(self._words))
        except OSError as error:
            raise EngineError(f"{self.engine.name} cannot be run: {error.strerror}") from error

    def _limit(self, now: float) -> None:
        """End the container when its time is over, and by force what does not want to."""
        if self._stopper is None:
            if now >= self._deadline or self._asked():
                self.stopped = True
                self._stopper = self._run(self.engine.stop())
                self._killed_at = now + STOP_SECONDS
        elif now >= self._killed_at and self._process is not None:
            self._process.kill()

    @staticmethod
    def _run(command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=_STANDARD_ERROR, start_new_session=True
        )  # not in our group: Ctrl-C is ours, and ends it in order

    def _is_named(self) -> bool:
        subject = self._subjects.get(self.engine.identifier())
        return subject is not None and (bool(subject.image_digest) or not self.engine.tells_image)
