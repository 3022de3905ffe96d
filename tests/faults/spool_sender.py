"""An agent's sink with a spool that submits deviations until it is killed.

In: the collector's address, the spool's directory. Out: a line once it is started. Next: test_spool_delivery.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from driftline.nouns import Deviation, Kind, Severity, Subject
from driftline.report.spool import SpoolOptions
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.verdict.uuid7 import Uuid7


def main(address: str, directory: Path) -> None:
    """Submit three deviations a millisecond."""
    options = SpoolOptions(directory, 64 * 1024 * 1024, 7.0, "batch", 100)
    sink = StreamSink(address, AgentIdentity("node-a"), 10_000, spool=options)
    sink.start()
    ids, subject = Uuid7(), Subject(cgroup=7, cgroup_path="/kubepods/pod1/abc")
    print("started", flush=True)
    while True:
        for severity in (Severity.LOW, Severity.HIGH, Severity.CRITICAL):
            now = time.time_ns()
            sink.submit(
                Deviation(
                    ids.make(now), Kind.EXEC_DRIFT, severity, "", "", "/x", now, now, 1, 1, "node-a", subject, "", False
                )
            )
        time.sleep(0.001)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
