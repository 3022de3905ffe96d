"""How many novel events the agent's pipeline takes: without a kernel, from records; then with a storm of real ones.

In: nothing. Out: two tables. Why both: the first says what the code costs, the second what is left of it when the
kernel, the ring and the workload share the machine. Next: ``run``; alone: ``python -m benchmarks.pipeline``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.figures import Row, Section, spread
from benchmarks.stage import Measured, WatchingAgent, agent

from driftline.baseline.shelf import Shelf
from driftline.nouns import Deviation, Loss, Subject
from driftline.pipeline import Pipeline
from driftline.ports import NoEvidence, NoKernel
from driftline.probe.layout import ABI, FILE, HEADER
from driftline.settings import Settings

OPEN_KIND, CACHEABLE = 2, 1 << 13
READ, WRITE_CREATE = 1, 7
IMAGE_ORIGIN, WRITABLE_ORIGIN = 1, 2
EVENTS, BATCH, REPEATS = 20_000, 2_000, 5  # as many as one image may teach
CGROUP = 7
TARGET = 100_000
STORM_SECONDS = 4
STORM_RATES = (10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 80_000)
SUSTAINED = 50_000
KERNEL_LOSSES = ("ring_full", "bucket_empty", "read_fault", "scratch")
OFFLINE_METHOD = (
    f"{EVENTS:,} distinct opens as record bytes, in batches of {BATCH:,}, through decode, identify, judge and "
    f"what follows; one thread, events per second of its CPU time, {REPEATS} times. No kernel to write verdicts "
    "back to (a system call of about 1 µs each) and no sink behind (it has its own thread)."
)
STORM_METHOD = (
    f"One container creates, opens and unlinks distinct files on a tmpfs for {STORM_SECONDS} s at each rate; the "
    "live agent learns, so that nothing is told and everything is new; rate limits off. Done = records read + "
    "losses named by the kernel side, exactly. The workload keeps one of the cores busy by itself."
)
WHY_OFFLINE = "It is Python: some nine function calls an event"
WHY_STORM = (
    "The storm keeps one of two cores busy by itself, so anything else that runs takes the agent's; the ring holds a "
    "third of a second of it"
)


class Uncounted:
    """A sink that takes and forgets."""

    def start(self) -> None: ...
    def submit(self, deviation: Deviation) -> None: ...
    def heartbeat(self, losses: list[Loss], counters: dict[str, int]) -> None: ...
    def losses(self) -> list[Loss]:
        """None."""
        return []

    def stop(self, timeout: float) -> None: ...


class Named:
    """Names the one container."""

    def __init__(self) -> None:
        self._found: list[Subject] = []

    def request(self, cgroup: int, path: str, started_ns: int, attached_late: bool) -> None:
        """Known at once."""
        self._found.append(Subject(cgroup, path, image_digest=f"sha256:{'0' * 64}"))

    def gone(self, cgroup: int) -> None:
        """Nothing to do."""

    def take(self) -> list[Subject]:
        """Subjects found since the last call."""
        found, self._found = self._found, []
        return found

    def losses(self) -> list[Loss]:
        """None."""
        return []


def record(number: int, access: int, origin: int) -> bytes:
    """An open of a file of its own, as the kernel side writes it."""
    path = f"file{number}\0dir{number % 100}\0data\0srv\0".encode()
    flags, now = CACHEABLE, time.monotonic_ns()
    comm = b"workload".ljust(16, b"\0")
    head = HEADER.pack(ABI, OPEN_KIND, 1, flags, now, CGROUP, CGROUP, 5, 6, 100, 100, 1, 0, 0, 0, 0, 0, comm)
    return head + FILE.pack(bytes(32), bytes(48), 100, 66, 1, 0o100644, len(path), origin, access) + path


def fresh(learn_seconds: float) -> Pipeline:
    """A pipeline that knows its one container."""
    shelf = Shelf(None, learn_seconds, 0)
    stages = (NoKernel(), Named(), shelf, Uncounted(), NoEvidence())
    pipeline = Pipeline(Settings(node="bench", deviation_rate=0), *stages, lambda _shelved: None, lambda _cgroup: None)
    pipeline.appear(CGROUP, CGROUP, "/default/x", 0, False)
    pipeline.collect()
    return pipeline


def speed(pipeline: Pipeline, records: list[bytes]) -> float:
    """Events per second of CPU."""
    begun = time.process_time()
    for start in range(0, len(records), BATCH):
        pipeline.feed(records[start : start + BATCH])
    return len(records) / (time.process_time() - begun)


def offline() -> dict[str, list[float]]:
    """What the pipeline is doing → events per second, several times."""
    found: dict[str, list[float]] = {}
    reads = [record(number, READ, IMAGE_ORIGIN) for number in range(EVENTS)]
    writes = [record(number, WRITE_CREATE, WRITABLE_ORIGIN) for number in range(EVENTS)]
    for _ in range(REPEATS):
        pipeline = fresh(learn_seconds=1e-9)
        found.setdefault("learning", []).append(speed(pipeline, reads))
        for seconds in (1, 2):
            pipeline.tick(time.monotonic_ns() + seconds * 1_000_000_000)  # learning ends
        found.setdefault("detecting, all known", []).append(speed(pipeline, reads))
        found.setdefault("detecting, all deviate, repeats of one", []).append(speed(pipeline, [writes[0]] * EVENTS))
        found.setdefault("detecting, all deviate, all different", []).append(speed(pipeline, writes))
        if pipeline.figures.deviations < EVENTS:
            raise RuntimeError("the deviations were not told")
    return found


@dataclass(frozen=True, slots=True)
class Storm:
    """One rate's outcome."""

    rate: int
    done: int
    lost: dict[str, int]
    seconds: float


def storms() -> Iterator[Storm]:
    """Each of STORM_RATES, one after another, until the workload itself cannot go faster."""
    unlimited = ("--open-rate", "100000000")
    for rate in STORM_RATES:
        with agent(*unlimited) as one, Measured("storm", tmpfs=True) as box:
            time.sleep(1.5)
            before = _opens(one)
            process = box.container.spawn(["/work/storm", "/storm", str(rate), str(STORM_SECONDS)])
            assert process.stdout is not None
            words = process.stdout.read().split()
            process.wait()
            after = _opens(one)
            lost = {name: after.get(name, 0) - before.get(name, 0) for name in KERNEL_LOSSES}
            sent = after["sent"] - before["sent"]
            if sent + sum(lost.values()) < int(words[1]):
                raise RuntimeError(f"{words[1]} opens done, {sent} sent, {lost}")
            yield Storm(
                rate, int(words[1]), {name: count for name, count in lost.items() if count}, int(words[3]) / 1e3
            )


def _opens(one: WatchingAgent) -> dict[str, int]:
    prefix = "kernel.open."
    counters = one.status()["counters"]
    return {name.removeprefix(prefix): count for name, count in counters.items() if name.startswith(prefix)}


def sections() -> list[Section]:
    """For RESULTS.md."""
    rows: list[Row] = []
    for name, rates in offline().items():
        target = f"> {TARGET:,}/s" if not rows or "known" in name else ""
        met = sorted(rates)[len(rates) // 2] > TARGET if target else None
        rows.append(Row(name, spread(rates, "events/s"), target, met, why=WHY_OFFLINE))
    storm_rows = []
    for storm in storms():
        lost = sum(storm.lost.values())
        value = f"{storm.done:,} done in {storm.seconds:.1f} s, {lost:,} lost ({100 * lost / storm.done:.1f} %)"
        target, met = ("no loss", not lost) if storm.rate == SUSTAINED else ("", None)
        causes = ", ".join(f"{name} {count:,}" for name, count in storm.lost.items())
        storm_rows.append(Row(f"{storm.rate:,} opens a second", value, target, met, causes, WHY_STORM))
    return [
        Section("Novel events through the pipeline, from records", OFFLINE_METHOD, rows),
        Section("A storm of novel opens, and when losses begin", STORM_METHOD, storm_rows),
    ]


if __name__ == "__main__":
    for section in sections():
        for row in section.rows:
            print(section.title, "|", row.what, "|", row.value, row.outcome)
