"""Which deviations came, how fast, and which should not have come.

In: lines of ``driftline tail --json``, each with the moment it was read. Out: one printed line per deviation, and the
sums. Why here: the demo's last line is a promise, so what counts as seen must be told apart from what merely appeared.
A deviation belongs to the last attack that began before its kernel time; without one, or if that attack does not
explain it, it is a false alarm. A coverage gap is no alarm but a loss, and counted by the agent. Next: ``demo``.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from typing import Any

from attacks import EXPECTED, Attack, Expected
from driftline.nouns import Kind

NS_PER_MS = 1e6
_COLOURS = {"critical": "1;31", "high": "31", "medium": "33", "low": "36", "info": "2"}


class Score:
    """Counts what came. Fed by the tail's thread, read by the demo's."""

    def __init__(self, write: Callable[[str], None], colour: bool) -> None:
        self._write = write
        self._colour = colour
        self._changed = threading.Condition()
        self._begun: list[tuple[int, Attack]] = []
        self._seen: dict[tuple[int, Expected], float] = {}
        self._known: set[str] = set()
        self._container = ""
        self.false_alarms = 0

    def watch(self, container: str) -> None:
        """Count only ``container``: other containers of this machine may drift as they like."""
        self._container = container

    def begin(self, attack: Attack) -> None:
        """What happens from now on is this attack's."""
        with self._changed:
            self._begun.append((time.monotonic_ns(), attack))

    def wait(self, seconds: float) -> bool:
        """Wait until all that is expected of the last attack came; return whether it did."""
        number, attack = len(self._begun) - 1, self._begun[-1][1]
        with self._changed:
            return self._changed.wait_for(
                lambda: all((number, one) in self._seen for one in attack.expected), timeout=seconds
            )

    def take(self, line: str) -> None:
        """Count one line of the tail and print it."""
        now = time.monotonic_ns()
        deviation = json.loads(line)
        if deviation["kind"] != Kind.COVERAGE_GAP and deviation["subject"]["container_id"] != self._container:
            return
        with self._changed:
            if deviation["id"] not in self._known:  # else a repeat, folded into it
                self._known.add(deviation["id"])
                self._print(deviation, now, self._judge(deviation, now))
            self._changed.notify_all()

    def last_line(self, losses: int) -> str:
        """The demo's last line."""
        times = sorted(self._seen.values())
        return (
            f"demo: {len(times)} of {EXPECTED} deviations, {self.false_alarms} false alarms, {losses} losses, "
            f"p50 {percentile(times, 50):.1f} ms, p99 {percentile(times, 99):.1f} ms"
        )

    def complete(self, losses: int) -> bool:
        """Whether all was seen, nothing else was told and nothing was lost."""
        return len(self._seen) == EXPECTED and self.false_alarms == 0 and losses == 0

    def _judge(self, deviation: dict[str, Any], now: int) -> str:
        """File a new deviation; return what to call it."""
        kind, what, at = deviation["kind"], deviation["what"], deviation["first_kernel_ns"]
        if kind == Kind.COVERAGE_GAP:
            return "loss"
        number = sum(begun <= at for begun, _ in self._begun) - 1
        if number >= 0:
            attack = self._begun[number][1]
            for one in attack.expected:
                if one.matches(kind, what):
                    self._seen.setdefault((number, one), (now - at) / NS_PER_MS)
                    return "expected"
            if attack.is_trace(kind, what):
                return "trace"
        self.false_alarms += 1
        return "FALSE ALARM"

    def _print(self, deviation: dict[str, Any], now: int, verdict: str) -> None:
        severity = deviation["severity"]
        elapsed = (now - deviation["first_kernel_ns"]) / NS_PER_MS
        head = f"  {elapsed:7.1f} ms  {severity:8}  {deviation['kind']:20}"
        text = f"{head}  {deviation['sentence']}"
        if verdict == "FALSE ALARM":
            text = f"{text}   <- FALSE ALARM"
        self._write(f"\x1b[{_COLOURS[severity]}m{text}\x1b[0m" if self._colour else text)


def percentile(ordered: list[float], percent: float) -> float:
    """Nearest-rank percentile of a sorted list; 0 for an empty one."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0
