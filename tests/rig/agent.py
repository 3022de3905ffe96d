"""A real agent process under test, standalone: what it says on standard error, what it tells on standard output.

In: settings as options. Out: ``Agent`` with its lines and deviations. Why a process and not a thread: signals, exit
status, memory and imports are part of what is tested. Next: tests.
"""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from rig import session

START_SECONDS = 60.0  # compiling on a loaded machine
STOP_SECONDS = 30.0


def _share(cache: Path) -> None:
    """Make ``cache`` the rig's own: compiling takes two seconds of a core for every new state directory."""
    shared = session.CACHE / "bpf"
    shared.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):  # there from an earlier start, or a directory that cannot be written
        cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        cache.symlink_to(shared)


class Agent:
    """``driftline agent`` with ``options``. A context manager; stopped by SIGTERM at the end.

    It watches the containers of this process's rig alone. ``compiled``: it finds the programs that an earlier agent of
    the rig compiled.
    """

    def __init__(self, state: Path, *options: str, standalone: bool = True, compiled: bool = True) -> None:
        mode = ["--standalone"] if standalone else []
        scope = ["--watched-roots", session.NAMESPACE]
        defaults = ["--state-dir", str(state), "--identify-seconds", "0.5", "--node", "test", "--http", "", *scope]
        self._command = [sys.executable, "-m", "driftline", "agent", *mode, *defaults, *options]
        self._programs = state / "cache" if compiled else None
        self.deviations: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self._arrived: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Agent:
        self.start()
        try:
            self.wait_line("armed")
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start without waiting for it to be armed."""
        if self._programs is not None:
            _share(self._programs)
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdout
        assert self.process.stderr
        self._threads = [
            threading.Thread(target=self._read, args=(stream, take))
            for stream, take in ((self.process.stdout, self._take_deviation), (self.process.stderr, self._take_line))
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: IO[bytes], take: Callable[[bytes], None]) -> None:
        with stream:
            for line in stream:
                if line.endswith(b"\n"):  # else it was killed in the middle of it
                    take(line)
                    self._arrived.put(None)

    def _take_deviation(self, line: bytes) -> None:
        self.deviations.append(json.loads(line))

    def _take_line(self, line: bytes) -> None:
        self.lines.append(line.decode().rstrip())

    def wait(self, what: Callable[[], Any], seconds: float = 30.0) -> Any:
        """Return what ``what`` returns once it is true; AssertionError with all the agent said if it never is."""
        deadline = time.monotonic() + seconds
        while not (found := what()):
            left = deadline - time.monotonic()
            assert left > 0, "\n".join([*self.lines, *(f"{d['kind']} {d['sentence']}" for d in self.deviations)])
            if self.process.poll() is not None and not any(thread.is_alive() for thread in self._threads):
                assert what(), "the agent ended:\n" + "\n".join(self.lines)
            try:
                self._arrived.get(timeout=min(left, 0.2))
            except queue.Empty:
                continue
        return found

    def wait_line(self, part: str, seconds: float = START_SECONDS) -> str:
        """Return the first line on standard error that holds ``part``."""
        return str(self.wait(lambda: next((line for line in self.lines if part in line), ""), seconds))

    def wait_deviation(self, kind: str, what: str = "", seconds: float = 30.0) -> dict[str, Any]:
        """Return the first deviation of ``kind`` whose subject holds ``what``."""

        def find() -> dict[str, Any] | None:
            return next((d for d in self.deviations if d["kind"] == kind and what in d["what"]), None)

        found: dict[str, Any] = self.wait(find, seconds)
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send ``number`` if it still runs; return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        return status
