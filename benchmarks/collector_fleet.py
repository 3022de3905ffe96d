"""Measures collectors under a fleet: ``PYTHONPATH=tests python -m benchmarks.collector_fleet [deviations] [agents]
[followers]``.

In: how many (100 000 deviations, 1 000 agents, 200 followers). Out: a table on standard output: deviations per second
stored, and tailed, by one collector on SQLite and by one, two and three replicas on PostgreSQL; then the same with many
agents and followers at a time, and what the collectors take in memory. Everything runs on this machine. Why streams and
not sinks: a thousand agents do not fit beside the collectors they are to load; what is measured is the collector. Next:
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import grpc.aio
from benchmarks.collector import sample

from collector.cluster import Cluster, programs
from collector.rig import CollectorProcess
from driftline.wire import service
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb

STREAMS = 8
"""Agents of the runs that measure throughput: enough that every replica always has something to store."""

BATCH = 128
"""Deviations in a batch: what an agent under attack sends."""

CONNECT_SECONDS = 120.0
"""How long a thousand agents may take to be welcomed."""


class Run(NamedTuple):
    """What was measured. ``tailed``: until the last follower had read the last one; memory in MiB, per collector."""

    what: str
    stored: float
    tailed: float
    memory: list[float]

    def __str__(self) -> str:
        """Return a row of the table."""
        memory = ", ".join(f"{one:.0f}" for one in self.memory)
        return f"| {self.what} | {self.stored:,.0f}/s | {self.tailed:,.0f}/s | {memory} MiB |"


def agents_in(address: str, first: int, agents: int, each: int, pipe: Connection) -> None:
    """Be ``agents`` agents; send "ready" when all are welcomed, begin when told, send the time all was acknowledged."""

    async def one(number: int, welcomed: asyncio.Semaphore, go: asyncio.Event) -> None:
        node = f"node-{number:04}"
        batches = [pb.Batch(sequence=n + 1) for n in range((each + BATCH - 1) // BATCH)]
        for index in range(each):
            message = deviation_to_wire(sample())
            message.node = node
            batches[index // BATCH].deviations.append(message)

        async def requests() -> AsyncIterator[pb.ReportRequest]:
            yield pb.ReportRequest(hello=pb.Hello(node=node))
            await go.wait()
            for batch in batches:
                yield pb.ReportRequest(batch=batch)

        async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            method = channel.stream_stream(
                service.REPORT, pb.ReportRequest.SerializeToString, pb.ReportResponse.FromString
            )
            async for response in method(requests()):
                if response.HasField("welcome"):
                    welcomed.release()

    async def all_of_them() -> None:
        welcomed, go = asyncio.Semaphore(0), asyncio.Event()
        tasks = [asyncio.ensure_future(one(first + n, welcomed, go)) for n in range(agents)]
        for _ in range(agents):
            await asyncio.wait_for(welcomed.acquire(), CONNECT_SECONDS)
        pipe.send("ready")
        await asyncio.to_thread(pipe.recv)
        go.set()
        await asyncio.gather(*tasks)
        pipe.send(time.perf_counter())

    asyncio.run(all_of_them())


def followers_in(address: str, followers: int, count: int, pipe: Connection) -> None:
    """Be ``followers`` tails; send "ready" when all follow, then the time the last had ``count`` (or was told of)."""

    async def one(following: asyncio.Semaphore) -> int:
        seen = missed = 0
        async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            method = channel.unary_stream(service.TAIL, pb.TailRequest.SerializeToString, pb.TailResponse.FromString)
            async for response in method(pb.TailRequest(follow=True)):
                seen += len(response.deviations)
                missed += response.missed
                if response.caught_up:
                    following.release()
                if seen + missed >= count:
                    break
        return missed

    async def all_of_them() -> None:
        following = asyncio.Semaphore(0)
        tasks = [asyncio.ensure_future(one(following)) for _ in range(followers)]
        for _ in range(followers):
            await asyncio.wait_for(following.acquire(), CONNECT_SECONDS)
        pipe.send("ready")
        missed = sum(await asyncio.gather(*tasks))
        pipe.send((time.perf_counter(), missed))

    asyncio.run(all_of_them())


@contextmanager
def spawned(target: object, *arguments: object) -> Iterator[Connection]:
    """Run ``target`` in a process of its own; give the pipe to it once it is ready."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(*arguments, theirs))  # type: ignore[arg-type]
    process.start()
    try:
        assert ours.recv() == "ready"
        yield ours
    finally:
        process.join(CONNECT_SECONDS)
        process.kill()


def resident(collector: CollectorProcess) -> float:
    """Return the resident memory of a collector in MiB."""
    assert collector.process
    lines = Path(f"/proc/{collector.process.pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def measure(what: str, collectors: list[CollectorProcess], count: int, agents: int, followers: int) -> Run:
    """Have ``agents`` spread over ``collectors`` deliver ``count``, while ``followers`` of the first one read them."""
    share = agents // len(collectors)
    each = count // (share * len(collectors))
    total = each * share * len(collectors)
    with ExitStack() as stack:
        tails = stack.enter_context(spawned(followers_in, collectors[0].address, followers, total))
        fleets = [
            stack.enter_context(spawned(agents_in, one.address, index * share, share, each))
            for index, one in enumerate(collectors)
        ]
        begun = time.perf_counter()
        for fleet in fleets:
            fleet.send("go")
        stored = max(fleet.recv() for fleet in fleets) - begun
        ended, missed = tails.recv()
        memory = [resident(one) for one in collectors]
    told = f", {missed:,} told as missed" if missed else ""
    return Run(f"{what}, {agents} agents, {followers} followers{told}", total / stored, total / (ended - begun), memory)


@contextmanager
def running(state: Path, count: int, *options: str) -> Iterator[list[CollectorProcess]]:
    """Run ``count`` collectors with a state directory each."""
    collectors = [CollectorProcess(state / str(number), *options) for number in range(count)]
    try:
        for one in collectors:
            one.start()
        yield collectors
    finally:
        for one in collectors:
            one.clean_up()


def on_sqlite(state: Path, count: int, agents: int, followers: int) -> Iterator[Run]:
    """Measure one collector."""
    for name, *numbers in (("few", STREAMS, 1), ("many", agents, followers)):
        with running(state / name, 1) as collectors:
            yield measure("SQLite", collectors, count, *numbers)


def on_postgresql(state: Path, count: int, agents: int, followers: int) -> Iterator[Run]:
    """Measure one, two and three replicas; a new database for each."""
    if (found := programs()) is None:
        return
    cluster = Cluster(found)
    try:
        cluster.start()
        for replicas, *numbers in ((1, STREAMS, 1), (2, STREAMS, 1), (3, STREAMS + 1, 1), (1, agents, followers)):
            database = cluster.create()
            name = f"{replicas}-{numbers[0]}"
            with running(state / name, replicas, "--store", cluster.url(database)) as collectors:
                yield measure(f"PostgreSQL, {replicas} replicas", collectors, count, *numbers)
            cluster.drop(database)
    finally:
        cluster.clean_up()


def main() -> None:
    """Print a row after each run."""
    defaults = (100_000, 1_000, 200)
    given = tuple(map(int, sys.argv[1:]))
    count, agents, followers = given + defaults[len(given) :]
    print("| | stored | tailed | collectors' memory |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="driftline-fleet-") as state:
        for runs in (on_sqlite, on_postgresql):
            for run in runs(Path(state) / runs.__name__, count, agents, followers):
                print(run, flush=True)


if __name__ == "__main__":
    main()
