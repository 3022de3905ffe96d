"""What goes to one agent: answers at once, pieces of baselines in between.

In: responses. Out: the same, one after the other. Why two lanes: an acknowledgement waits for one piece at most, and a
piece is made only when there is nothing else to send, so that a slow agent holds one of them and not a whole. Belongs
to the event loop. Next: ``ingest`` sends what comes out.
"""

from __future__ import annotations

import asyncio
from collections import deque

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

ANSWERS = 16
"""Answers that may wait: twice what an agent has under way. One that does not read is not listened to either."""


class Outbox:
    """The responses of one stream."""

    def __init__(self) -> None:
        self._answers: deque[pb.ReportResponse] = deque()
        self._room_for_answers = asyncio.Semaphore(ANSWERS)
        self._pieces: deque[pb.ReportResponse] = deque()
        self._room_for_piece = asyncio.Semaphore(1)
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    async def answer(self, response: pb.ReportResponse) -> None:
        """Queue an answer; waits while there are too many."""
        await self._room_for_answers.acquire()
        self._answers.append(response)
        self._changed.set()

    async def offer(self, response: pb.ReportResponse) -> None:
        """Queue what may wait; waits until the one before has gone."""
        await self._room_for_piece.acquire()
        self._pieces.append(response)
        self._changed.set()

    def end(self, error: Exception | None = None) -> None:
        """Let ``take`` end after the answers, with ``error`` if there is one."""
        self._ended, self._error = True, self._error or error
        self._changed.set()

    async def take(self) -> pb.ReportResponse | None:
        """Return what goes next, None at the end. Raises what ended it."""
        while True:
            if self._answers:
                self._room_for_answers.release()
                return self._answers.popleft()
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            if self._pieces:
                self._room_for_piece.release()
                return self._pieces.popleft()
            self._changed.clear()
            await self._changed.wait()
