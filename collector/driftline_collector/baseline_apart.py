"""Has baselines read and merged in a process of their own.

In: contents as they travelled. Out: facts; a merged content; or why it cannot be. Why the child stays for a while: when
a cluster has learned, thousands come in a row, and each start of Python takes longer than most of them. One job at a
time. Belongs to the event loop. Its other side is ``baseline_child``. Next: ``intake``, ``baselines``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from typing import Any

from driftline.wire.service import WHOLE_BYTES
from driftline_collector.baseline_facts import CHECK, LENGTH_BYTES, MERGE, REVOCATION, Facts, Withdrawal

MODULE = "driftline_collector.baseline_child"
CHECK_SECONDS = 60.0
"""Longest check; the largest baseline takes some ten."""
MERGE_SECONDS = 300.0
"""Longest merge: some thousand nodes' parts of one image."""
IDLE_SECONDS = 5.0
"""How long a child without work stays."""
MAX_WAITING = 64
"""Jobs that may wait; beyond it one is refused."""
_ANSWER_BYTES = 1024 * 1024

_Answer = tuple[dict[str, Any], bytes]  # what it is, a merged content


class UnfitError(ValueError):
    """The content cannot be read, or not within the limits; the message, escaped, says why."""


class BusyError(Exception):
    """Too many jobs wait."""


class Apart:
    """The child, started when it is needed."""

    def __init__(self) -> None:
        self._child: Process | None = None
        self._lock = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self.waiting = 0
        self.refused = 0

    async def check(self, form: int, content: bytes) -> Facts:
        """Return what ``content`` (compressed) is, a BaselineFormat. Raises UnfitError or BusyError."""

        return Facts(**(await self._do({"job": CHECK, "form": form}, _only(content), CHECK_SECONDS))[0])

    async def read_revocation(self, envelope: bytes) -> Withdrawal:
        """Return what ``envelope`` revokes; who signed it is the agents' question. Raises UnfitError or BusyError."""
        return Withdrawal(**(await self._do({"job": REVOCATION}, _only(envelope), CHECK_SECONDS))[0])

    async def merge(self, contents: AsyncIterator[bytes]) -> tuple[Facts, bytes]:
        """Return what fragments of one baseline make together, compressed. Raises UnfitError or BusyError."""
        facts, content = await self._do({"job": MERGE}, contents, MERGE_SECONDS)
        return Facts(**facts), content

    async def _do(self, job: dict[str, Any], contents: AsyncIterator[bytes], seconds: float) -> _Answer:
        if self.waiting >= MAX_WAITING:
            self.refused += 1
            raise BusyError(f"{MAX_WAITING} baselines wait to be read")
        self.waiting += 1
        try:
            async with self._lock:
                return await self._alone(job, contents, seconds)
        finally:
            self.waiting -= 1

    async def _alone(self, job: dict[str, Any], contents: AsyncIterator[bytes], seconds: float) -> _Answer:
        self._stay()
        try:
            async with asyncio.timeout(seconds):
                child = self._child = self._child or await _start()
                answer, content = await _talk(child, job, contents)
        except TimeoutError:
            await self._end()
            raise UnfitError(f"reading it took longer than {seconds:g} s") from None
        except (OSError, EOFError) as error:
            await self._end()
            raise UnfitError(f"the process that reads it ended: {error}") from error
        except BaseException:
            await self._end()  # it is in the middle of something
            raise
        if answer["wrong"]:
            await self._end()
            raise UnfitError(answer["wrong"])
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._leave)
        return answer["facts"], content

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _leave(self) -> None:
        if not self._lock.locked():
            self._ending = asyncio.ensure_future(self.stop())

    async def stop(self) -> None:
        """End the child."""
        self._stay()
        async with self._lock:
            await self._end()

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()  # also closes the pipes


async def _only(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _start() -> Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", MODULE, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)


async def _talk(child: Process, job: dict[str, Any], contents: AsyncIterator[bytes]) -> tuple[dict[str, Any], bytes]:
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it answered before it had read everything
        await _send(child.stdin, json.dumps(job).encode())
        async for content in contents:
            await _send(child.stdin, content)
        await _send(child.stdin, b"")
    answer = json.loads(await _receive(child.stdout, _ANSWER_BYTES))
    return answer, await _receive(child.stdout, WHOLE_BYTES)


async def _send(target: asyncio.StreamWriter, block: bytes) -> None:
    target.write(len(block).to_bytes(LENGTH_BYTES, "big"))
    target.write(block)
    await target.drain()


async def _receive(source: asyncio.StreamReader, limit: int) -> bytes:
    length = int.from_bytes(await source.readexactly(LENGTH_BYTES), "big")
    if length > limit:
        raise EOFError("its answer is too large")
    return await source.readexactly(length)
