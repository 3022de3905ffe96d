"""Ctrl-C and SIGTERM as a question a loop can ask.

In: nothing. Out: ``stopped()``. Next: commands that run until told to stop.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType


def stop_on_signals(seconds: float = 0) -> Callable[[], bool]:
    """Return a function that is true after SIGINT or SIGTERM, or (if not 0) after ``seconds``."""
    asked = False
    deadline = time.monotonic() + seconds if seconds else float("inf")

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return lambda: asked or time.monotonic() >= deadline
