"""A fleet of simulated agents: real sinks with real spools, each in a process of its own.

In: collector addresses, a directory for spools, how many agents, deviations of each, seconds to submit them in. Out:
a JSON line for each agent once all it submitted is acknowledged. Why forked: to start Python takes longer than to be an
agent for a second. Every second agent submits as fast as its memory takes it, so that it has a backlog longer than
``report.backlog.ORDERED``; the others wait for theirs to be short, so that their order must be strict. Next:
``campaign``.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

from driftline.nouns import Deviation, File, Kind, Origin, Process, Severity, Subject
from driftline.report.spool import SpoolOptions
from driftline.report.stream import AgentIdentity, StreamSink

ORDERLY = 3_000  # entries of backlog an orderly agent allows itself: below ``backlog.ORDERED``
HASTY_IN_MEMORY = 3_000
TOGETHER = 50  # deviations submitted between two looks at the clock
FINISH_SECONDS = 1_800.0


def node(number: int) -> str:
    """Return the name of an agent's node."""
    return f"node-{number:02}"


def identifier(number: int, index: int) -> str:
    """Return the id of an agent's deviation: a UUID that says whose and which it is."""
    return f"{number:08x}-0000-7000-8000-{index:012x}"


def orderly(number: int) -> bool:
    """Whether an agent waits for its backlog."""
    return number % 2 == 0


def deviation(number: int, index: int) -> Deviation:
    """Return one of ordinary size."""
    now = time.time_ns()
    severity = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)[index % 4]
    return Deviation(
        identifier(number, index),
        Kind.EXEC_DRIFT,
        severity,
        "/tmp/payload ran in shop/web-0; it is not from the image but was written at run time",
        "T1059",
        f"/tmp/{index}",
        now,
        now,
        index,
        index,
        node(number),
        Subject(7, "/kubepods/pod1/abc", "containerd", "abc123" * 10, "web", "nginx:1.25", "sha256:" + "0" * 64),
        "",
        False,
        process=Process(20, 20, 14, 1, 1, 0, 0, 0, "payload"),
        argv=("/tmp/payload", "--connect", "192.0.2.1:4444"),
        file=File("/tmp/payload", Origin.WRITABLE, 1, 2, 1, 0o100755, 12345),
    )


def may_go_on(sink: StreamSink, number: int) -> bool:
    """Whether the agent may submit more now."""
    figures = sink.figures()
    if orderly(number):
        return figures.waiting < ORDERLY
    return figures.waiting - figures.counters.get("spool.unsent", 0) < HASTY_IN_MEMORY


def run(number: int, addresses: str, directory: Path, count: int, seconds: float) -> dict[str, object]:
    """Submit ``count`` deviations, wait until they are acknowledged, and return how it went."""
    options = SpoolOptions(directory / node(number), 256 * 1024 * 1024, 7.0, "batch", 1_000)
    sink = StreamSink(addresses, AgentIdentity(node(number)), 10_000, spool=options)
    sink.start()
    begun, longest = time.monotonic(), 0
    for index in range(count):
        if index % TOGETHER == 0:
            ahead = index / count * seconds - (time.monotonic() - begun)
            time.sleep(max(0.0, ahead) if orderly(number) else 0.0)
            while not may_go_on(sink, number):
                time.sleep(0.02)
            longest = max(longest, sink.figures().waiting)
        sink.submit(deviation(number, index))
    sink.stop(FINISH_SECONDS)
    losses = {f"{loss.hook} {loss.cause}": loss.count for loss in sink.losses()}
    return {"node": node(number), "submitted": count, "losses": losses, "longest": longest}


def main() -> None:
    """One child for each agent. gRPC must not have begun before the fork."""
    addresses, directory, agents, count, seconds = sys.argv[1:]
    children = []
    for number in range(int(agents)):
        if (child := os.fork()) == 0:
            try:
                said = json.dumps(run(number, addresses, Path(directory), int(count), float(seconds)))
                os.write(1, f"{said}\n".encode())
            except BaseException:  # noqa: BLE001 - the parent must hear of it
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    sys.exit(any(statuses))


if __name__ == "__main__":
    main()
