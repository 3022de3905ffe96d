"""How late a deviation reaches a person: from the exec in the kernel to the line of ``driftline tail --json``.

In: nothing. Out: p50 and p99. Every exec is a program dropped into the container's writable layer with an argument of
its own, so that none folds into another. Clock: the record's kernel time is CLOCK_MONOTONIC, as is ours when the line
was read. Next: ``run``; alone: ``python -m benchmarks.latency``.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time

from benchmarks.figures import Row, Section, percentile
from benchmarks.stage import ANSWER_SECONDS, DROPPED, Measured, agent, collector, tail

EXECS = 500
PAUSE_US = 20_000  # an idle system; with less the deviations would wait for each other
WARM = 20  # the first ones import, connect and allocate
P50_MS, P99_MS = 2.0, 10.0
METHOD = (
    f"{EXECS} execs of a dropped binary, one every {PAUSE_US // 1000} ms, in a container that is otherwise idle; "
    "agent, collector (SQLite on disk) and `driftline tail --json` are three processes on this machine. From the "
    f"record's kernel time to CLOCK_MONOTONIC when the line was read; the first {WARM} are left out."
)
WHY = (
    "The way takes about 2.2 ms of CPU, one step after another: agent 0.7 ms, collector 0.8 (SQLite's commit 0.25), "
    "`driftline tail` 0.5, gRPC's threads the rest; what else the two cores do comes on top"
)


def lines(process: subprocess.Popen[bytes], count: int, kind: str) -> list[float]:
    """Milliseconds from kernel to here of the first ``count`` deviations of ``kind``, each once."""
    assert process.stdout is not None
    found: list[float] = []
    seen: set[str] = set()
    rest = b""
    while len(found) < count:
        if not select.select([process.stdout], [], [], ANSWER_SECONDS)[0]:
            raise TimeoutError(f"{len(found)} of {count} deviations arrived")
        data = os.read(process.stdout.fileno(), 1 << 20)
        now = time.monotonic_ns()
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            deviation = json.loads(line)
            if deviation["kind"] == kind and deviation["id"] not in seen:
                seen.add(deviation["id"])
                found.append((now - int(deviation["first_kernel_ns"])) / 1e6)
    return found


def measure(count: int = EXECS) -> list[float]:
    """Milliseconds of each exec, in order."""
    with (
        collector() as address,
        tail(address) as follower,
        agent(*sys.argv[2:], collector=address),
        Measured("latency") as box,
    ):
        time.sleep(2)  # the container is named, the tail follows
        box.tell("drip", DROPPED, count + WARM, PAUSE_US)
        found = lines(follower, count + WARM, "exec.drift")
        box.answer()
        return found[WARM:]


def section() -> Section:
    """For RESULTS.md."""
    found = measure()
    p50, p99 = percentile(found, 50), percentile(found, 99)
    over = sum(one > P99_MS for one in found)
    return Section(
        "From an exec to the tailing client",
        METHOD,
        [
            Row("p50", f"{p50:.2f} ms", f"< {P50_MS:.0f} ms", p50 < P50_MS, why=WHY),
            Row("p99", f"{p99:.2f} ms", f"< {P99_MS:.0f} ms", p99 < P99_MS, why=WHY),
            Row("fastest, slowest", f"{min(found):.2f} ms, {max(found):.2f} ms", note=f"{over} over {P99_MS:.0f} ms"),
        ],
    )


if __name__ == "__main__":
    times = measure(int(sys.argv[1]) if len(sys.argv) > 1 else EXECS)
    print(" ".join(f"p{p} {percentile(times, p):.2f}" for p in (1, 10, 50, 75, 90, 95, 99)), f"max {max(times):.2f} ms")
