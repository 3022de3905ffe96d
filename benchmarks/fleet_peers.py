"""Simulated agents and followers: many streams in a process of its own, for the collectors of ``collector_fleet``.

In: a collector's address, how many, a pipe. Out: over the pipe, when they are ready and how it went. Why streams and
not sinks: a thousand agents do not fit beside the collectors they are to load; what is measured is the collector.
Next: ``collector_fleet``.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from random import Random
from typing import Any, NamedTuple

import grpc.aio
from benchmarks.collector import sample

from driftline.wire import service
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

BATCH = 128
"""Deviations in a batch: what an agent under attack sends."""

BEAT_SECONDS = 10.0
"""Between two heartbeats of an agent, as by default."""

CONNECT_SECONDS = 120.0
"""How long a thousand of them may take to be welcomed."""

ANSWER_SECONDS = 300.0
"""How long a whole process may take to be ready or done: something hangs beyond this."""

ALONE = "/tmp/alone"
"""What a deviation of the quiet phase is about: the age of these counts."""

_CHANNEL = [("grpc.use_local_subchannel_pool", 1)]  # a connection for each, as from many machines


class Share(NamedTuple):
    """What one process of agents does. ``first``: number of its first agent; ``each``: deviations of each at once.

    Before that comes a quiet phase of ``quiet`` seconds with heartbeats, in which every ``alone_every``th agent sends
    one deviation.
    """

    address: str
    first: int
    agents: int
    each: int
    quiet: float = 0.0
    alone_every: int = 1

    @property
    def alone(self) -> int:
        """How many deviations come in the quiet phase."""
        return len(range(0, self.agents, self.alone_every)) if self.quiet else 0

    @property
    def total(self) -> int:
        """How many deviations come in all."""
        return self.alone + self.agents * self.each


class Seen(NamedTuple):
    """What one process of followers saw. ``missed``: of all together; ``ages`` in ms, of the quiet phase's ones."""

    ended: float
    missed: int
    ages: list[float]


def agents_in(share: Share, pipe: Connection) -> None:
    """Be agents; say "ready" when all are welcomed, "quiet" after the quiet phase, then when all was acknowledged."""

    async def everything() -> None:
        welcomed, calmed, stages = asyncio.Semaphore(0), asyncio.Semaphore(0), (asyncio.Event(), asyncio.Event())
        tasks = [asyncio.ensure_future(_agent(share, n, welcomed, calmed, stages)) for n in range(share.agents)]
        await _all(share.agents, welcomed, tasks)
        for word, stage in zip(("ready", "quiet"), stages, strict=True):
            pipe.send(word)
            await asyncio.to_thread(pipe.recv)
            stage.set()
            if word == "ready":
                await _all(share.agents, calmed, tasks)
        await asyncio.gather(*tasks)
        pipe.send(time.perf_counter())

    asyncio.run(everything())


async def _agent(
    share: Share,
    number: int,
    welcomed: asyncio.Semaphore,
    calmed: asyncio.Semaphore,
    stages: tuple[asyncio.Event, asyncio.Event],
) -> None:
    node = f"node-{share.first + number:04}"
    at_once = _batches(node, share.each)

    async def requests() -> AsyncIterator[pb.ReportRequest]:
        yield pb.ReportRequest(hello=pb.Hello(node=node))
        await stages[0].wait()
        begun = time.monotonic()
        for moment, make in _quiet_phase(share, number, node):
            await asyncio.sleep(begun + moment - time.monotonic())
            yield make()
        await asyncio.sleep(begun + share.quiet - time.monotonic())
        calmed.release()
        await stages[1].wait()
        for batch in at_once:
            yield pb.ReportRequest(batch=batch)

    async with grpc.aio.insecure_channel(share.address, options=_CHANNEL) as channel:
        method = channel.stream_stream(service.REPORT, pb.ReportRequest.SerializeToString, pb.ReportResponse.FromString)
        async for response in method(requests()):
            if response.HasField("welcome"):
                welcomed.release()
            if response.acknowledgement.rejected:
                raise RuntimeError(f"the collector rejected: {response.acknowledgement.reason}")


def _quiet_phase(share: Share, number: int, node: str) -> list[tuple[float, Callable[[], pb.ReportRequest]]]:
    """Seconds after its beginning, and what is sent then; everybody at another moment, the same each time."""
    chance = Random(share.first + number)
    if not share.quiet:
        return []
    beats = range(max(1, int(share.quiet / BEAT_SECONDS)))
    offset = chance.uniform(0, min(share.quiet, BEAT_SECONDS))
    plan: list[tuple[float, Callable[[], pb.ReportRequest]]] = [
        (offset + beat * BEAT_SECONDS, lambda: pb.ReportRequest(heartbeat=pb.Heartbeat())) for beat in beats
    ]
    if number % share.alone_every == 0:
        plan.append((chance.uniform(0, share.quiet), lambda: _one_alone(node)))
    return sorted(plan, key=lambda step: step[0])


def _one_alone(node: str) -> pb.ReportRequest:
    batch = pb.Batch(sequence=1, deviations=[deviation_to_wire(replace(sample(), node=node, what=ALONE))])
    return pb.ReportRequest(batch=batch)


def _batches(node: str, count: int) -> list[pb.Batch]:
    """What is sent at once, made before: it is not the fleet that is measured."""
    made = [deviation_to_wire(replace(sample(), node=node)) for _ in range(count)]
    starts = range(0, count, BATCH)
    return [pb.Batch(sequence=n, deviations=made[start : start + BATCH]) for n, start in enumerate(starts, 2)]


def followers_in(address: str, followers: int, count: int, pipe: Connection) -> None:
    """Be tails; say "ready" when all follow, then a ``Seen`` once each had ``count`` or was told what it missed."""

    async def everything() -> None:
        following, ages = asyncio.Semaphore(0), list[float]()
        tasks = [asyncio.ensure_future(_follower(address, count, following, ages)) for _ in range(followers)]
        await _all(followers, following, tasks)
        pipe.send("ready")
        missed = sum(await asyncio.gather(*tasks))
        pipe.send(Seen(time.perf_counter(), missed, ages))

    asyncio.run(everything())


async def _follower(address: str, count: int, following: asyncio.Semaphore, ages: list[float]) -> int:
    """Return how many it was told to have missed."""
    seen = missed = 0
    async with grpc.aio.insecure_channel(address, options=_CHANNEL) as channel:
        method = channel.unary_stream(service.TAIL, pb.TailRequest.SerializeToString, pb.TailResponse.FromString)
        async for response in method(pb.TailRequest(follow=True)):
            now = time.time_ns()
            alone = (one.deviation for one in response.deviations if one.deviation.what == ALONE)
            ages += [(now - deviation.first_wall_ns) / 1e6 for deviation in alone]
            seen += len(response.deviations)
            missed += response.missed
            if response.caught_up:
                following.release()
            if seen + missed >= count:
                break
    return missed


async def _all(count: int, done: asyncio.Semaphore, tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Wait until ``done`` was released ``count`` times; a task that ends before raises what it ended with."""
    waiting = asyncio.ensure_future(_acquire(count, done))
    async with asyncio.timeout(CONNECT_SECONDS):
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()
            raise RuntimeError("a collector ended a stream")
    await waiting


async def _acquire(count: int, done: asyncio.Semaphore) -> None:
    for _ in range(count):
        await done.acquire()


class Peers:
    """A process of agents or followers, ready."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def tell(self, word: str) -> None:
        """Let it go on."""
        self._pipe.send(word)

    def answer(self) -> Any:
        """What it says next. Raises RuntimeError when it hangs, EOFError when it has ended."""
        if not self._pipe.poll(ANSWER_SECONDS):
            raise RuntimeError(f"agents or followers said nothing for {ANSWER_SECONDS:.0f} s")
        return self._pipe.recv()


@contextmanager
def spawned(target: Callable[..., None], *arguments: object) -> Iterator[Peers]:
    """Run ``target`` in a process of its own until the end of the block; it gets the other end of the pipe last."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(*arguments, theirs))
    process.start()
    theirs.close()  # its end is the only one: when it ends early, we hear of it
    try:
        peers = Peers(ours)
        if (word := peers.answer()) != "ready":
            raise RuntimeError(f"agents or followers began with {word!r}")
        yield peers
    finally:
        process.kill()
        process.join()
        ours.close()
