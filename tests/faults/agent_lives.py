"""Agents that submit until they are killed, one life after the other; a test kills them.

In: the collector's address, the spool's directory; on standard input, a line for each life: its number. Out: ``PID``
once it has begun, ``ended`` once it was killed. Why forked: to start Python takes longer than to live. Next:
test_agent_kill.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from driftline.report.spool import SpoolOptions
from driftline.report.stream import AgentIdentity, StreamSink
from faults.campaign_agents import deviation

NODE = "node-a"


def options(directory: Path) -> SpoolOptions:
    """Return the spool of all lives."""
    return SpoolOptions(directory, 64 * 1024 * 1024, 7.0, "batch", 100)


def live(life: int, address: str, directory: Path) -> None:
    """Submit two or three deviations a millisecond, for ever."""
    sink = StreamSink(address, AgentIdentity(NODE), 10_000, spool=options(directory))
    sink.start()
    os.write(1, f"{os.getpid()}\n".encode())
    index = 0
    while True:
        for _ in range(3):
            sink.submit(replace(deviation(life, index), node=NODE))
            index += 1
        time.sleep(0.001)


def main() -> None:
    """One life at a time. gRPC must not have begun before the fork."""
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            live(int(line), sys.argv[1], Path(sys.argv[2]))
        os.waitpid(child, 0)
        os.write(1, b"ended\n")


if __name__ == "__main__":
    main()
