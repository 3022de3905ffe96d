"""Has ``baseline.yaml`` written by a child after the agent put a baseline in force.

In: that there is something to write. Out: the files, some tenths of a second later; what went wrong. Why not by the
agent: see ``plainchild``, its other side. At most one child at a time, for all of them. Next: ``lifecycle`` steps it.
"""

from __future__ import annotations

import subprocess
import sys

from driftline.errors import StateError

MODULE = "driftline.baseline.keeping.plainchild"
MAX_NS = 120 * 1_000_000_000
"""Longest run: a node's hundred images take some ten seconds."""
_SHOWN = 2_000  # characters of the child's complaint


class PlainCopies:
    """Belongs to the main thread. What a killed agent left unwritten is written at the start of the next."""

    def __init__(self, state_dir: str) -> None:
        self._command = [sys.executable, "-m", MODULE, state_dir]
        self._child: subprocess.Popen[bytes] | None = None
        self._started_ns = 0
        self._wanted = True

    @property
    def is_busy(self) -> bool:
        """Whether a child is at work."""
        return self._child is not None

    def want(self) -> None:
        """Something was put in force."""
        self._wanted = True

    def step(self, now_ns: int) -> StateError | None:
        """Start the child if it is wanted, or see whether it ended; return what it complains of. Never waits."""
        if self._child is not None:
            if self._child.poll() is None and now_ns - self._started_ns < MAX_NS:
                return None
            return self._end(self._child)
        if not self._wanted:
            return None
        self._wanted, self._started_ns = False, now_ns
        try:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except OSError as error:
            return StateError(f"baselines are not written as YAML: {error.strerror}")
        return None

    def _end(self, child: subprocess.Popen[bytes]) -> StateError | None:
        self._child = None
        child.kill()  # if it did not end by itself
        _nothing, said = child.communicate()
        if child.returncode == 0:
            return None
        why = said.decode("utf-8", "replace").strip()[-_SHOWN:] or f"exit status {child.returncode}"
        return StateError(f"baselines are not written as YAML: {why}", "`driftline baseline show --yaml` prints one")

    def stop(self) -> None:
        """End the child: what it did not write, the next agent's writes."""
        if self._child is not None:
            self._end(self._child)
