"""What every output is to the one that runs it.

In: batches of stored deviations, in order. Out: they were taken, or why not. Why only two ways to fail: whoever tries
again must know no more than whether the receiver is in trouble (the same batch, later) or the message is (a smaller
batch, or none at all). Next: ``delivery`` tries again, the modules of the outputs send.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

REASON_CHARACTERS = 300
"""Longest reason kept of a receiver's answer: a sentence, not its web page."""


class Unavailable(Exception):
    """The receiver did not take the batch now; ``after`` is the pause in seconds that it asked for, 0 if none."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(short(reason))
        self.after = after


class Refused(Exception):
    """The receiver will never take this batch as it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(short(reason))


class Taken(NamedTuple):
    """The receiver took the batch, but for ``refused`` deviations of it that it names no closer, for ``reason``."""

    refused: int = 0
    reason: str = ""


class Sender(Protocol):
    """One receiver. ``send`` may block for some seconds; all calls but ``reopen`` come from one thread.

    A batch has at most ``batch_deviations``, and ends with the deviation that makes it longer than ``batch_bytes``.
    """

    batch_deviations: int
    batch_bytes: int

    def send(self, batch: Sequence[pb.StoredDeviation]) -> Taken:
        """Return once the receiver answers for the batch. Raises Unavailable or Refused, or OSError for the former."""

    def reopen(self) -> None:
        """Use the file behind the name anew (SIGHUP)."""

    def close(self) -> None:
        """Let go of the connection or file."""


def clean(text: str) -> str:
    """Return ``text`` printable, on one line: agents escape what they send, but nobody forces a hostile one to."""
    return text if text.isprintable() else escape(text)


def short(text: str) -> str:
    """Return ``text`` as it can stand in a log line."""
    return clean(" ".join(text[: 4 * REASON_CHARACTERS].split())[:REASON_CHARACTERS])
