"""What the container pays: CPU per open+close, exec and connect, with and without somebody who watches.

In: nothing. Out: a table each. Every round measures every way once, one after another, so that a slow minute slows all
alike. The container is the same throughout; each way attaches before and detaches after. Next: ``run``; alone:
``python -m benchmarks.cost``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator

from benchmarks.figures import Row, Section, spread
from benchmarks.stage import DROPPED, LEARNED, SMALL, TOLD, Measured, agent, end

from driftline.identify import hierarchy
from driftline.probe.build import build
from driftline.probe.loader import CGROUP_HOOKS, attach, load_program
from driftline.probe.object import ProgramSpec
from driftline.probe.preflight import choose, examine_providers
from driftline.probe.targets import Targets
from driftline.settings import Settings
from rig import session

ROUNDS = 5
OPENS, OPEN_BURST, OPEN_PAUSE_US = 40_000, 2_000, 30_000  # a burst fits the ring, the pause empties it
EXECS, EXEC_PAUSE_US = 400, 500
CONNECTS, CONNECT_BURST, CONNECT_PAUSE_US = 8_000, 500, 25_000
WARM = 4
SLOW_OPENS = 10_000  # for tools that take many times as long
TIMES_EMPTY = 2.0  # target: a known event adds at most so many times what an empty program adds
READY_SECONDS = 2.0  # for a tool to compile and attach
UNLIMITED = ("--open-rate", "100000000", "--exec-rate", "100000000")
PRINT_OPENS = 'tracepoint:syscalls:sys_enter_openat { printf("%d %s %s\\n", pid, comm, str(args->filename)); }'
WITH_TRACEFS = 'mount -t tracefs none /sys/kernel/tracing; mount -t debugfs none /sys/kernel/debug; exec "$0" "$@"'
TOOLS = {"bpftrace, printing": ("bpftrace", "-e", PRINT_OPENS), "opensnoop (libbpf-tools)": ("opensnoop",)}
METHOD = (
    f"One container, its init pinned to the last CPU; {ROUNDS} rounds, in each every way once, medians "
    "(lowest–highest). CPU time of the process and its children, not wall time; within a round the tenth "
    "percentile of bursts of 500 to 2,000 deeds (of exec: of single ones), because disturbance only ever adds. "
    f"*Adds*: lowest of the rounds against lowest. Others on the machine do not count. *open*: {OPENS:,} "
    f"open+close of a file of the image. *exec*: {EXECS} × fork, exec, exit, wait of a static program. *connect*: "
    f"{CONNECTS:,} × connect of a UDP socket to loopback. *novel*: no event is ever put into the verdict cache: "
    "each open is one of `/etc/shadow`, each exec one of a program dropped into the writable layer, each connect "
    "goes to another address of 127.0.0.0/8; they come in bursts that fit the ring, and what they add is against "
    "the same deeds without an agent. The other tools only see opens; what they print goes to `/dev/null`."
)
WHY = "Finding the file behind the descriptor, and its key in the cache, takes some twenty reads of kernel memory"

Figures = dict[str, float]  # deed → nanoseconds
Deed = tuple[str, str, tuple[int, ...]]

KNOWN: dict[str, Deed] = {
    "open": ("open", LEARNED, (OPENS, OPEN_BURST, OPEN_PAUSE_US)),
    "exec": ("exec", SMALL, (EXECS, EXEC_PAUSE_US)),
    "connect": ("connect", "0", (CONNECTS, CONNECT_BURST, CONNECT_PAUSE_US)),
}
NOVEL: dict[str, Deed] = {
    "open": ("open", TOLD, (OPENS, OPEN_BURST, OPEN_PAUSE_US)),
    "exec": ("exec", DROPPED, (EXECS, EXEC_PAUSE_US)),
    "connect": ("connect", "1", (CONNECTS, CONNECT_BURST, CONNECT_PAUSE_US)),
}
SLOW: dict[str, Deed] = {"open": ("open", LEARNED, (SLOW_OPENS, 500, 0))}


def do(box: Measured, deeds: dict[str, Deed]) -> Figures:
    """What each deed costs now."""
    return {what: box.ask(verb, argument, *numbers) for what, (verb, argument, numbers) in deeds.items()}


def without(box: Measured, deeds: dict[str, Deed]) -> Figures:
    """Nothing attached."""
    return do(box, deeds)


def with_empty(box: Measured, deeds: dict[str, Deed]) -> Figures:
    """A program of two instructions on each hook the agent attaches to."""
    provider, _reason = choose(examine_providers(), "auto")
    programs = build(provider, Settings().ring_bytes, session.CACHE / "bpf").programs
    with contextlib.ExitStack() as undo, Targets() as targets:
        root = os.open(hierarchy.find().root, os.O_RDONLY | os.O_DIRECTORY)
        undo.callback(os.close, root)
        for name in (program.name for program in programs):
            if not name.startswith("iter_"):
                undo.enter_context(_empty(name, root, targets))
        return do(box, deeds)


@contextlib.contextmanager
def _empty(name: str, root: int, targets: Targets) -> Iterator[None]:
    allow = 1 if name in CGROUP_HOOKS else 0
    code = struct.pack("<BBhi", 0xB7, 0, 0, allow) + struct.pack("<BBhi", 0x95, 0, 0, 0)  # r0 = allow; exit
    program = load_program(ProgramSpec(name, code, ()), {}, targets)
    try:
        link = attach(name, program, root)
        try:
            yield
        finally:
            os.close(link)
    finally:
        os.close(program)


def with_agent(box: Measured, deeds: dict[str, Deed]) -> Figures:
    """The agent, standalone, learning. Raises RuntimeError if it did not see what the figures claim."""
    with agent(*UNLIMITED) as one:
        for _ in range(WARM):  # until the container's name is given up, what it does is held, not judged
            time.sleep(0.5)
            do(box, {what: (verb, argument, (1, 1)) for what, (verb, argument, _numbers) in KNOWN.items()})
        found = do(box, deeds)
        _check(one.status()["counters"], deeds)
    return found


def _check(counters: dict[str, int], deeds: dict[str, Deed]) -> None:
    name = "known" if deeds is KNOWN else "sent"
    for what, (_verb, _argument, numbers) in deeds.items():
        key = f"kernel.{what}.{name}"
        if counters.get(key, 0) < numbers[0] * 0.99:
            raise RuntimeError(f"{what}: {numbers[0]} done, but {key} counted {counters.get(key, 0)}: {counters}")


def with_tool(*command: str) -> Callable[[Measured, dict[str, Deed]], Figures]:
    """Another tool that traces opens; it runs in a mount namespace of its own, where tracefs can be mounted."""

    def way(box: Measured, deeds: dict[str, Deed]) -> Figures:
        wrapped = ["unshare", "--mount", "sh", "-c", WITH_TRACEFS, *command]
        process = subprocess.Popen(wrapped, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(READY_SECONDS)
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended by itself: {process.returncode}")
            return do(box, deeds)
        finally:
            end(process)

    return way


def ways() -> dict[str, tuple[Callable[[Measured, dict[str, Deed]], Figures], dict[str, Deed]]]:
    """What is measured, in the order of a round."""
    found = {
        "no agent": (without, KNOWN),
        "no agent, novel": (without, NOVEL),
        "empty programs on the same hooks": (with_empty, KNOWN),
        "agent, cached": (with_agent, KNOWN),
        "agent, every one novel": (with_agent, NOVEL),
    }
    return found | {name: (with_tool(*tool), SLOW) for name, tool in TOOLS.items() if shutil.which(tool[0])}


def measure(rounds: int = ROUNDS) -> dict[str, dict[str, list[float]]]:
    """Way → deed → nanoseconds of each round."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in ways()}
    with Measured("cost") as box:
        for number in range(rounds):
            for name, (way, deeds) in ways().items():
                for what, cost in way(box, deeds).items():
                    found[name].setdefault(what, []).append(cost)
            print(f"  cost: round {number + 1} of {rounds}", flush=True)
    return found


def sections() -> list[Section]:
    """For RESULTS.md: a table each for opens, execs and connects."""
    found = measure()
    titles = {what: f"What one {what} costs the container" for what in KNOWN}
    return [Section(titles[what], "" if number else METHOD, _rows(found, what)) for number, what in enumerate(KNOWN)]


def _rows(found: dict[str, dict[str, list[float]]], what: str) -> list[Row]:
    bases = {"agent, every one novel": "no agent, novel"}
    rows = []
    floor = _added(found, "empty programs on the same hooks", "no agent", what)
    for name, costs in found.items():
        if what not in costs:
            continue
        added = _added(found, name, bases.get(name, "no agent"), what)
        value = spread(costs[what], "ns") + ("" if name.startswith("no agent") else f", adds {added:,.0f} ns")
        if name == "agent, cached" and what == "open":
            times = added / floor
            target = f"adds ≤ {TIMES_EMPTY:.0f} × empty"
            rows.append(Row(name, value, target, times <= TIMES_EMPTY, f"{times:.1f} × empty", WHY))
        else:
            rows.append(Row(name, value))
    missing = [name for name, tool in TOOLS.items() if not shutil.which(tool[0])] if what == "open" else []
    return rows + [Row(name, "not installed") for name in missing]


def _added(found: dict[str, dict[str, list[float]]], name: str, base: str, what: str) -> float:
    """What ``name`` adds to ``base``, lowest of the rounds against lowest."""
    return min(found[name][what]) - min(found[base][what])


if __name__ == "__main__":
    for section in sections():
        for row in section.rows:
            print(section.title, "|", row.what, "|", row.value, "|", row.outcome)
