"""Collectors under a fleet: ``PYTHONPATH=tests python -m benchmarks.collector_fleet [SHARE]``.

In: SHARE of the full size, 1 by default. Out: two tables. *Replicas*: deviations per second stored and tailed by one
collector on SQLite and by one, two and three replicas on PostgreSQL. *Fleet*: the same four with 1 000 agents and 200
followers at a time: how late a deviation comes while it is quiet, how fast a burst is stored and read by all, what
followers were told to have missed, memory. Everything runs on this machine. Next: ``run``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Row, Section, percentile
from benchmarks.fleet_peers import Share, agents_in, followers_in, spawned

from collector.cluster import Cluster, programs
from collector.rig import CollectorProcess

DEVIATIONS = 100_000
STREAMS = 9
"""Agents of the runs that measure throughput: enough that every replica always has something to store."""

AGENTS, FOLLOWERS = 1_000, 200
BURST = 15
"""Deviations each agent of the fleet has at once; each follower reads all."""

QUIET_SECONDS = 20.0
ALONE_EVERY = 5
"""So many agents send one deviation meanwhile: ten a second from a thousand."""

STORES = ("SQLite", "PostgreSQL, 1 replica", "PostgreSQL, 2 replicas", "PostgreSQL, 3 replicas")
REPLICAS_METHOD = (
    "`benchmarks/collector_fleet.py`: {count:,} deviations of ordinary size from {streams} agents' streams, spread "
    "over the replicas; one client follows the first replica. *Stored*: until the last was acknowledged; *tailed*: "
    "until the client had read the last. PostgreSQL, collectors, agents and the client share this machine's cores, so "
    "replicas add safety here, not speed. SQLite's commits survive the death of the process, PostgreSQL's a power cut "
    "too (each is synced)."
)
FLEET_METHOD = (
    "`benchmarks/collector_fleet.py`: {agents:,} agents, each a connection with a heartbeat every 10 s, and "
    "{followers:,} following clients, both spread over the replicas. First {quiet:.0f} s with {rate:.0f} deviations a "
    "second in all: how late each came to each client. Then every agent has {burst} at once: *stored* until the last "
    "was acknowledged, *read* by all clients together until the last of them had everything (or was told what it "
    "missed). Memory is RSS of each collector's process, after the quiet phase and at most."
)


class Size(NamedTuple):
    """How much is sent, by whom, to whom."""

    agents: int
    followers: int
    each: int
    quiet: float


class Run(NamedTuple):
    """What was measured of one store: rates per second, ages in ms, MiB of each collector."""

    stored: float
    tailed: float
    delivered: float
    missed: int
    ages: list[float]
    calm: list[float]
    most: list[float]


def memory(collector: CollectorProcess, field: str) -> float:
    """Return VmRSS or VmHWM of a collector in MiB."""
    assert collector.process
    lines = Path(f"/proc/{collector.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def parts(count: int, among: int) -> list[int]:
    """Return ``count`` in ``among`` parts, as equal as can be."""
    return [count // among + (number < count % among) for number in range(among)]


def measure(collectors: list[CollectorProcess], size: Size) -> Run:
    """Have agents deliver to ``collectors`` while followers read."""
    shares, first = [], 0
    for one, agents in zip(collectors, parts(size.agents, len(collectors)), strict=True):
        shares.append(Share(one.address, first, agents, size.each, size.quiet, ALONE_EVERY))
        first += agents
    total = sum(share.total for share in shares)
    at_once = sum(share.agents * share.each for share in shares)
    with ExitStack() as stack:
        follow = zip(collectors, parts(size.followers, len(collectors)), strict=True)
        tails = [stack.enter_context(spawned(followers_in, one.address, many, total)) for one, many in follow if many]
        fleets = [stack.enter_context(spawned(agents_in, share)) for share in shares]
        for fleet in fleets:
            fleet.tell("be quiet")
        for fleet in fleets:
            fleet.answer()
        calm = [memory(one, "VmRSS") for one in collectors]
        begun = time.perf_counter()
        for fleet in fleets:
            fleet.tell("burst")
        stored = max(fleet.answer() for fleet in fleets) - begun
        seen = [tail.answer() for tail in tails]
        most = [memory(one, "VmHWM") for one in collectors]
    tailed, missed = max(one.ended for one in seen) - begun, sum(one.missed for one in seen)
    ages = [age for one in seen for age in one.ages]
    read = at_once * size.followers - missed
    return Run(at_once / stored, at_once / tailed, read / tailed, missed, ages, calm, most)


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
            if one.process is not None and one.process.poll() is None:
                one.complaints()  # streams were cut: it may have something to say


def every_store(size: Size) -> Iterator[tuple[str, Run]]:
    """Measure SQLite, then PostgreSQL (if it is installed) with one to three replicas and a new database for each."""
    with tempfile.TemporaryDirectory(prefix="driftline-fleet-") as directory, ExitStack() as stack:
        state = Path(directory)
        with running(state / "sqlite", 1) as collectors:
            yield STORES[0], measure(collectors, size)
        if (found := programs()) is None:
            return
        cluster = Cluster(found, synced=True)
        stack.callback(cluster.clean_up)
        cluster.start()
        for replicas, name in enumerate(STORES[1:], 1):
            database = cluster.create()
            with running(state / str(replicas), replicas, "--store", cluster.url(database)) as collectors:
                yield name, measure(collectors, size)
            cluster.drop(database)


def beside(rate: float, first: float) -> str:
    """Say how a rate compares with that of SQLite."""
    return "" if rate == first else f"{rate / first:.2f} × {STORES[0]}"


def replicas_section(share: float) -> Section:
    """Throughput with few agents."""
    each = max(1, int(DEVIATIONS * share) // STREAMS)
    section = Section(
        "Collectors: SQLite and PostgreSQL", REPLICAS_METHOD.format(count=each * STREAMS, streams=STREAMS)
    )
    first = 0.0
    for name, run in every_store(Size(STREAMS, 1, each, 0.0)):
        first = first or run.tailed
        value = f"{run.stored:,.0f}/s stored, {run.tailed:,.0f}/s tailed"
        missed = f"the client was told that it missed {run.missed:,}" if run.missed else ""
        section.rows.append(Row(name, value, note=". ".join(filter(None, (beside(run.tailed, first), missed)))))
    return section


def fleet_section(share: float) -> Section:
    """Many agents and followers."""
    size = Size(int(AGENTS * share), int(FOLLOWERS * share), BURST, QUIET_SECONDS)
    method = FLEET_METHOD.format(
        agents=size.agents,
        followers=size.followers,
        quiet=size.quiet,
        rate=size.agents / ALONE_EVERY / size.quiet,
        burst=BURST,
    )
    section, first = Section(f"Collectors: {size.agents:,} agents, {size.followers:,} followers", method), 0.0
    for name, run in every_store(size):
        first = first or run.stored
        section.rows += fleet_rows(name, run, first, size)
    return section


def fleet_rows(name: str, run: Run, first: float, size: Size) -> list[Row]:
    """What is told of one store."""
    p50, p99 = percentile(run.ages, 50), percentile(run.ages, 99)
    share = run.missed / (size.agents * size.each * size.followers)
    calm, most = (", ".join(f"{one:.0f}" for one in figures) for figures in (run.calm, run.most))
    return [
        Row(f"{name}: late, while quiet", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"),
        Row(f"{name}: burst stored", f"{run.stored:,.0f}/s", note=beside(run.stored, first)),
        Row(f"{name}: burst read", f"{run.delivered:,.0f}/s", note=f"told as missed: {share:.0%}"),
        Row(f"{name}: memory", f"{calm} MiB, at most {most} MiB"),
    ]


def sections(share: float = 1.0) -> list[Section]:
    """For RESULTS.md."""
    return [replicas_section(share), fleet_section(share)]


def main() -> None:
    """Print what ``make bench`` would write."""
    for section in sections(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0):
        print(f"{section.title}\n{section.method}")
        for row in section.rows:
            print(f"  {row.what}: {row.value}  {row.outcome}", flush=True)


if __name__ == "__main__":
    main()
