"""``driftline collector`` and ``driftline tail`` as their users start them."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from collector.rig import DRIFTLINE, PATIENCE, CollectorProcess, listing, sink, until
from driftline.cli import tail as tail_module
from driftline.nouns import Severity
from driftline.wire import service
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from unit.wire import samples


class TailProcess:
    """``driftline tail`` with its lines as they come."""

    def __init__(self, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": ""}
        self._process = subprocess.Popen(
            [*DRIFTLINE, "tail", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.out: queue.Queue[str] = queue.Queue()
        self.err: queue.Queue[str] = queue.Queue()
        streams = ((self._process.stdout, self.out), (self._process.stderr, self.err))
        self._threads = [threading.Thread(target=self._read, args=stream) for stream in streams]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: Iterator[str], lines: queue.Queue[str]) -> None:
        for line in stream:
            lines.put(line)

    def line(self) -> str:
        return self.out.get(timeout=PATIENCE)

    def stop(self) -> int:
        self._process.send_signal(signal.SIGINT)
        status = self._process.wait(PATIENCE)
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return status


def test_a_line_appears_at_once_and_ctrl_c_ends_quietly(collector: str) -> None:
    tail = TailProcess("--collector", collector, "--since", "1h")
    agent = sink(collector)
    for name in ("one", "two"):
        agent.submit(samples.deviation(sentence=f"ran {name} {samples.HOSTILE}", severity=Severity.CRITICAL))
        line = tail.line()
        assert f"CRITICAL exec.drift             shop/web-0/web  ran {name} /tmp/" in line
        assert line.rstrip("\n").isprintable()
    agent.stop(PATIENCE)
    assert tail.stop() == -signal.SIGINT
    assert tail.err.empty()


def test_a_tail_outlives_the_collector_and_goes_on_without_a_gap(process: CollectorProcess) -> None:
    agent = sink(process.start())
    tail = TailProcess("--collector", process.address, "--since", "1h", "--json")
    sent = [samples.deviation() for _ in range(30)]
    for i, deviation in enumerate(sent):
        if i in (10, 20):
            process.end(signal.SIGKILL)
            assert "trying again" in tail.err.get(timeout=PATIENCE)
        agent.submit(deviation)
        if i in (15, 25):
            process.start()
            assert "is back" in tail.err.get(timeout=PATIENCE)
    lines = [tail.line() for _ in sent]
    agent.stop(PATIENCE)
    assert tail.stop() == -signal.SIGINT
    assert [json.loads(line)["id"] for line in lines] == [deviation.id for deviation in sent]
    assert tail.out.empty()


class Recorder(tail_module.Printer):
    """Notes what ``watch`` is sent, also what a printer would not show twice; ends it after ``count``."""

    def __init__(self, count: int) -> None:
        self.ids: list[str] = []
        self._count = count

    def show(self, response: pb.TailResponse) -> None:
        self.ids += [stored.deviation.id for stored in response.deviations]
        if len(self.ids) >= self._count:
            raise KeyboardInterrupt


def test_after_an_interruption_nothing_is_sent_again(process: CollectorProcess) -> None:
    agent = sink(process.start())
    sent = [samples.deviation() for _ in range(20)]
    recorder = Recorder(len(sent))

    def interrupt() -> None:
        for i, deviation in enumerate(sent):
            if i == 10:
                until(lambda: len(recorder.ids) == 10)
                process.end(signal.SIGKILL)
                process.start()
            agent.submit(deviation)

    sender = threading.Thread(target=interrupt)
    sender.start()
    request = pb.TailRequest(filter=pb.DeviationFilter(since_wall_ns=1), replay=True, follow=True)
    with pytest.raises(KeyboardInterrupt):
        tail_module.watch(process.address, request, recorder)
    sender.join()
    agent.stop(PATIENCE)
    assert recorder.ids == [deviation.id for deviation in sent]


def test_a_tail_that_was_there_before_the_collector_misses_nothing(process: CollectorProcess) -> None:
    process.start()
    process.end()
    tail = TailProcess("--collector", process.address, "--json")
    assert "cannot be reached" in tail.err.get(timeout=PATIENCE)
    agent, deviation = sink(process.address), samples.deviation()
    agent.submit(deviation)
    process.start()
    assert json.loads(tail.line())["id"] == deviation.id
    agent.stop(PATIENCE)
    tail.stop()


def test_no_follow_ends_and_a_reader_that_leaves_is_no_error(collector: str) -> None:
    agent = sink(collector)
    for _ in range(5003):
        agent.submit(samples.deviation())
    agent.stop(PATIENCE)
    command = [*DRIFTLINE, "tail", "--collector", collector, "--no-follow"]
    all_lines = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(all_lines.stdout.splitlines()) == 5003
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as left:
        assert left.stdout is not None
        assert left.stderr is not None
        left.stdout.readline()
        left.stdout.close()
        assert left.stderr.read() == ""
        assert left.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_collector_ends_with_streams_open(process: CollectorProcess, number: signal.Signals) -> None:
    agent = sink(process.start())
    agent.submit(samples.deviation())
    tail = TailProcess("--collector", process.address, "--since", "1h")
    tail.line()
    begun = time.monotonic()
    assert process.end(number) == 0
    assert time.monotonic() - begun < PATIENCE / 2  # the agent and the tail would stay for ever
    agent.stop(0.1)
    tail.stop()
    assert process.process is not None
    assert process.process.stderr is not None
    process.start()
    assert len(listing(process.address)) == 1


def refused(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([*DRIFTLINE, "collector", *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_what_cannot_be_started_says_why(process: CollectorProcess, tmp_path: Path) -> None:
    process.start()
    other, taken = str(tmp_path / "other"), str(tmp_path / "state")
    status, said = refused("--listen", process.address, "--state", other)
    assert (status, f"cannot listen on {process.address}" in said) == (2, True), said
    status, said = refused("--listen", "127.0.0.1:0", "--state", taken)
    assert (status, "another collector uses the state directory" in said) == (5, True), said
    status, said = refused("--listen", "0.0.0.0:4780", "--state", other)
    assert (status, "is not a loopback address" in said) == (2, True), said


def test_health_and_reflection_answer(collector: str) -> None:
    with grpc.insecure_channel(collector) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        for name in ("", service.SERVICE):
            answer = check(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflect = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(reflect(iter([ask]), timeout=PATIENCE))
    assert service.SERVICE in {found.name for found in answer.list_services_response.service}
