"""Ctrl-C and SIGTERM as a question a loop can ask.

In: nothing. Out: a question, and a reader of our output that goes away taken for an order to stop. Next: commands that
run until told to stop.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def until_nobody_reads() -> Iterator[None]:
    """End what is inside, quietly, when standard output is closed by its reader (``| head``)."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at exit
        raise SystemExit(0) from None
