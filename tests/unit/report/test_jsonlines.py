"""Standalone lines: every deviation, at once, and failures counted."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Callable

from driftline.nouns import Loss, Severity
from driftline.report.jsonlines import JsonLinesSink
from unit.wire.samples import HOSTILE, deviation


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "did not happen within 30 s"
        time.sleep(0.005)


def test_each_deviation_is_a_line_as_soon_as_it_is_submitted() -> None:
    stream = io.StringIO()
    sink = JsonLinesSink(stream, 10)
    sink.start()
    sink.submit(deviation(what=HOSTILE, id="a"))
    until(stream.getvalue)
    sink.submit(deviation(id="b"))
    sink.stop(60)
    lines = stream.getvalue().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a", "b"]
    assert all(line.isprintable() for line in lines)
    assert sink.losses() == []


def test_stop_writes_what_still_waits() -> None:
    stream = io.StringIO()
    sink = JsonLinesSink(stream, 1000)
    for _ in range(997):
        sink.submit(deviation())
    sink.start()
    sink.stop(60)
    assert len(stream.getvalue().splitlines()) == 997


def test_a_reader_that_stops_reading_never_blocks_submit_and_every_loss_is_counted() -> None:
    reading, writing = os.pipe()
    # closing writes out what the thread could not, into a pipe nobody reads by then
    with contextlib.suppress(BrokenPipeError), open(writing, "w", encoding="utf-8") as stream:
        sink = JsonLinesSink(stream, 100)
        sink.start()
        for _ in range(2000):
            sink.submit(deviation(severity=Severity.LOW))  # would wait for ever
        sink.stop(0.1)
        lost = sum(loss.count for loss in sink.losses())
        causes = {loss.cause for loss in sink.losses()}
        os.set_blocking(reading, False)
        written = os.read(reading, 1 << 20).count(b"\n")
        assert causes == {"queue_full", "not_delivered"}
        assert 1900 <= lost + written <= 2000 + 256  # of a half-written block some lines are in the pipe already
        os.close(reading)
        until(lambda: not sink._thread.is_alive())


def test_a_failing_stream_is_counted() -> None:
    stream = io.StringIO()
    stream.close()
    sink = JsonLinesSink(stream, 10)
    sink.start()
    sink.submit(deviation())
    sink.stop(60)
    assert sink.losses() == [Loss("report", "write_failed", 1)]
