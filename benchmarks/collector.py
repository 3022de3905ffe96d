"""Measures the stream and the store: ``python benchmarks/collector.py [deviations]``.

In: nothing. Out: two figures on standard output: deviations per second stored and tailed by one collector process, and
the milliseconds from ``submit`` in an agent to a following client, each in a process of its own on this machine. Next:
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from multiprocessing.connection import Connection
from statistics import quantiles

from driftline.nouns import Deviation, ExecImage, File, Kind, Origin, Process, Severity, Subject
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.wire.client import CollectorClient
from driftline.wire.convert import deviation_to_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.service import BATCH_DEVIATIONS

SINGLE = 1000
"""Deviations sent one by one for the latency."""

PAUSE = 0.005
"""Seconds between them: an idle system, as most of the time."""


def sample() -> Deviation:
    """Return a deviation of ordinary size, about 700 bytes on the wire."""
    now = time.time_ns()
    return Deviation(
        id=str(uuid.uuid4()),
        kind=Kind.EXEC_DRIFT,
        severity=Severity.HIGH,
        sentence="/tmp/payload ran in shop/web-0; it is not from the image but was written at run time",
        technique="T1059",
        what="/tmp/payload",
        first_wall_ns=now,
        last_wall_ns=now,
        first_kernel_ns=1,
        last_kernel_ns=1,
        node="node-a",
        subject=Subject(
            7, "/kubepods/pod1/abc", "containerd", "abc123" * 10, "web", "nginx:1.25", "sha256:" + "0" * 64
        ),
        baseline="sha256:" + "1" * 64,
        learning=False,
        process=Process(20, 20, 14, 1, 1, 0, 0, 0, "payload"),
        argv=("/tmp/payload", "--connect", "192.0.2.1:4444"),
        exe="/tmp/payload",
        ancestors=tuple(ExecImage(n, n, 1, "/bin/sh", ("sh", "-c", "curl | sh"), 0, False) for n in range(3)),
        file=File("/tmp/payload", Origin.WRITABLE, 1, 2, 1, 0o100755, 12345),
        sha256="ab" * 32,
    )


def follow(address: str, count: int, result: Connection) -> None:
    """Read ``count`` deviations; send the time the last came, and each one's age in milliseconds."""
    client, ages = CollectorClient(address), list[float]()
    for response in client.tail(pb.TailRequest(follow=True)):
        now = time.time_ns()
        ages += [(now - stored.deviation.first_wall_ns) / 1e6 for stored in response.deviations]
        if response.caught_up:
            result.send("ready")
        if response.missed:
            raise SystemExit(f"the follower missed {response.missed}")
        if len(ages) >= count:
            break
    result.send((time.perf_counter(), ages))
    client.close()


def throughput(address: str, count: int) -> float:
    """Return deviations per second from the first batch sent to the last one tailed; all are stored by then."""
    batches = []
    for sequence, start in enumerate(range(0, count, BATCH_DEVIATIONS), 1):
        size = min(BATCH_DEVIATIONS, count - start)
        batches.append(pb.Batch(sequence=sequence, deviations=(deviation_to_wire(sample()) for _ in range(size))))

    def requests() -> Iterator[pb.ReportRequest]:
        yield pb.ReportRequest(hello=pb.Hello(node="node-a"))
        yield from (pb.ReportRequest(batch=batch) for batch in batches)

    result, follower = _follower(address, count)
    client = CollectorClient(address)
    begun = time.perf_counter()
    for _ in client.report(requests()):
        pass
    ended, _ages = result.recv()
    follower.join()
    client.close()
    return count / (float(ended) - begun)


def latency(address: str) -> list[float]:
    """Return the milliseconds from ``submit`` to the follower, one for each of SINGLE deviations."""
    result, follower = _follower(address, SINGLE)
    sink = StreamSink(address, AgentIdentity("node-a"), 1000)
    sink.start()
    while not sink.connected:
        time.sleep(0.01)
    for _ in range(SINGLE):
        sink.submit(sample())
        time.sleep(PAUSE)
    _ended, ages = result.recv()
    follower.join()
    sink.stop(5)
    return list(ages)


def _follower(address: str, count: int) -> tuple[Connection, multiprocessing.process.BaseProcess]:
    context = multiprocessing.get_context("spawn")
    result, ours = context.Pipe(duplex=False)
    process = context.Process(target=follow, args=(address, count, ours))
    process.start()
    result.recv()
    return result, process


def main() -> None:
    """Run a collector of its own on a free port, in a directory of its own."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-m", "driftline", "collector", "--listen", "127.0.0.1:0", "--state", state]
        collector = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert collector.stderr is not None
            match = re.search(r"listening on (\S+),", collector.stderr.readline())
            assert match is not None
            print(f"stored and tailed: {throughput(match[1], count):.0f} deviations/s over {count}")
            cut = quantiles(latency(match[1]), n=100)
            print(f"submit to follower: p50 {cut[49]:.2f} ms, p99 {cut[98]:.2f} ms over {SINGLE}")
        finally:
            collector.terminate()
            collector.wait()


if __name__ == "__main__":
    main()
