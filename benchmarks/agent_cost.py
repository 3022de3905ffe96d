"""What the agent itself takes: CPU while a container opens what is known and while nobody does anything; memory.

In: nothing. Out: two tables. Next: ``run``; alone: ``python -m benchmarks.agent_cost [containers]``.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Row, Section, spread
from benchmarks.stage import LEARNED, ROOT, Measured, WatchingAgent, agent, collector, cpu_seconds, memory_mib

from rig import rootfs
from rig.bundle import ContainerOptions
from rig.runc import RuncContainer

RATE, SECONDS = 200_000, 10
IDLE_SECONDS = 5
REPEATS = 3
CPU_PERCENT = 1.0
RSS_MIB = 56.0
CONTAINERS = 100
FILES = 100  # each container opens so many files of its image: as many behaviours as an ordinary service shows
START = "for f in /srv/*; do read x < $f; done; exec /work/idle"
CPU_METHOD = (
    "CLOCK_PROCESS_CPUTIME of the agent (user and system, every thread), as a share of the time passed. *Known "
    f"opens*: one container opens a known file {RATE:,} times a second for {SECONDS} s, paced in slices of a "
    f"millisecond. *Idle*: {REPEATS} × {IDLE_SECONDS} s in which the containers sleep; connected to a collector."
)
MEMORY_METHOD = (
    "`/proc/PID/smaps_rollup` of the agent, connected to a collector, after learning: each container has a "
    f"baseline of its own with over {FILES} behaviours. RSS counts libraries that other processes share too and "
    "the kernel's two mappings of each ring; PSS counts them by share."
)
WHY_MEMORY = "Over half of it are libraries (grpc, protobuf, Python, libbpf), and the rings' pages once they were used"
WHY_CPU = "The agent wakes four times a second whatever happens, and for each new file once"


def busy() -> tuple[float, float]:
    """(share of a core in per cent, opens per second) with known opens at RATE."""
    with agent() as one, Measured("busy") as box:
        time.sleep(1.5)  # the container's name is given up, then its opens are judged
        box.ask("open", LEARNED, 10, 10)
        time.sleep(0.5)
        begun, used = time.monotonic(), cpu_seconds(one.process.pid)
        done = box.ask("pace", LEARNED, RATE, SECONDS)
        passed = time.monotonic() - begun
        return 100 * (cpu_seconds(one.process.pid) - used) / passed, done / passed


def idle(one: WatchingAgent) -> list[float]:
    """Share of a core in per cent, a few times."""
    found = []
    for _ in range(REPEATS):
        begun, used = time.monotonic(), cpu_seconds(one.process.pid)
        time.sleep(IDLE_SECONDS)
        found.append(100 * (cpu_seconds(one.process.pid) - used) / (time.monotonic() - begun))
    return found


@contextlib.contextmanager
def fleet(first: int, count: int) -> Iterator[None]:
    """``count`` containers, each with a baseline of its own."""
    with contextlib.ExitStack() as undo:
        layer = Path(undo.enter_context(tempfile.TemporaryDirectory()))
        layer.chmod(0o755)
        (layer / "srv").mkdir()
        for number in range(FILES):
            (layer / "srv" / f"file{number:03d}").write_text("x\n")
        options = ContainerOptions(init=("/bin/sh", "-c", START))
        for number in range(first, first + count):
            layers = (layer, *rootfs.default_layers())
            undo.enter_context(RuncContainer(options, cgroup=f"/{ROOT}/fleet{number}", lower=layers))
        yield


def fleets(many: int = CONTAINERS) -> dict[int, tuple[list[float], dict[str, float]]]:
    """Containers → (idle CPU in per cent, memory in MiB) of one agent, first with one container, then with ``many``."""
    found = {}
    learn = ("--learn-seconds", "1", "--learn-quiet-seconds", "1")
    with collector() as address, agent(*learn, collector=address) as one, fleet(0, 1):
        _learned(one, 1)
        found[1] = (idle(one), memory_mib(one.process.pid))
        with fleet(1, many - 1):
            _learned(one, many)
            found[many] = (idle(one), memory_mib(one.process.pid))
    return found


def _learned(one: WatchingAgent, count: int) -> None:
    one.wait(lambda: sum("detecting" in line for line in one.lines) >= count, 60)
    time.sleep(1)  # what learning left to be saved is saved


def sections() -> list[Section]:
    """For RESULTS.md."""
    shares = [busy() for _ in range(2)]
    cpu, opens = [share for share, _rate in shares], min(rate for _share, rate in shares)
    rows = [
        Row(
            f"agent, {opens:,.0f} known opens a second",
            spread(cpu, "% of a core", 2),
            f"< {CPU_PERCENT:.0f} %",
            max(cpu) < CPU_PERCENT and opens > RATE * 0.95,
            why=WHY_CPU,
        )
    ]
    memory = []
    for count, (shares_idle, mib) in fleets().items():
        containers = "1 container" if count == 1 else f"{count} containers"
        rows.append(Row(f"agent, idle, {containers}", spread(shares_idle, "% of a core", 2)))
        target, met = (f"RSS < {RSS_MIB:.0f} MiB", mib["Rss"] < RSS_MIB) if count > 1 else ("", None)
        anonymous = f"{mib['Anonymous']:.1f} MiB anonymous"
        value = f"RSS {mib['Rss']:.1f} MiB, PSS {mib['Pss']:.1f} MiB ({anonymous})"
        memory.append(Row(containers, value, target, met, why=WHY_MEMORY))
    return [Section("CPU of the agent", CPU_METHOD, rows), Section("Memory of the agent", MEMORY_METHOD, memory)]


if __name__ == "__main__":
    for count, (cpu, mib) in fleets(int(sys.argv[1]) if len(sys.argv) > 1 else CONTAINERS).items():
        print(count, "containers: idle", spread(cpu, "%", 2), {name: round(value, 1) for name, value in mib.items()})
