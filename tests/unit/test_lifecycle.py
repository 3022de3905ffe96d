"""The agent's end: every step gets its turn, what is held goes out, and all of it in time."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from driftline.lifecycle import Agent
from driftline.nouns import Kind, Loss, Origin
from driftline.settings import Settings
from pipeline.kernelbytes import Box, Clock
from pipeline.rig import Line


class Part:
    """A part of the agent that is stopped; ``stop`` may hang until others stop as well, or fail."""

    def __init__(self, others: threading.Barrier | None = None, error: Exception | None = None) -> None:
        self._others, self._error = others, error
        self.stopped: list[float] = []

    def stop(self, timeout: float = 0) -> bool:
        if self._others:
            self._others.wait(60)
        self.stopped.append(timeout)
        if self._error:
            raise self._error
        return True

    def take(self) -> list[Any]:
        return []

    def losses(self) -> list[Loss]:
        return [Loss("report", "not_delivered", 7)] if self.stopped else []


class Sensor:
    """A sensor whose rings hold some batches."""

    def __init__(self, *batches: list[bytes]) -> None:
        self._batches = list(batches)
        self.closed = False

    def read(self) -> list[bytes]:
        return self._batches.pop(0) if self._batches else []

    def counters(self) -> dict[tuple[str, str], int]:
        return {("open", "ring_full"): 23, ("open", "sent"): 1000, ("open", "bucket_empty"): 5}

    def close(self) -> None:
        self.closed = True


def agent_with(line: Line, sensor: Sensor, **parts: Part) -> Agent:
    agent = cast(Any, Agent(Settings(node="n")))
    agent.pipeline, agent._sensor, agent._shelf = line.pipeline, sensor, line.shelf
    agent._hierarchy = Part()
    for name in ("sink", "late", "resolver", "worker"):
        setattr(agent, f"_{name}", parts.get(name, Part()))
    return cast(Agent, agent)


def test_what_the_rings_hold_and_nobody_named_is_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    line, box = Line(), Box(Clock())
    record, init = box.start()
    sensor = Sensor([box.created(), record], [init.run("/tmp/x", origin=Origin.WRITABLE)[0]])
    agent_with(line, sensor)._stop()
    assert sensor.closed
    assert [one.what for one in line.of(Kind.EXEC_DRIFT)] == ["/tmp/x"]
    assert [(one.what, one.count) for one in line.of(Kind.COVERAGE_GAP)] == [("open: ring_full", 23)]
    assert "stopped: 2 deviations told, 30 losses counted" in capsys.readouterr().err


def test_a_part_that_fails_keeps_no_other_from_its_turn(capsys: pytest.CaptureFixture[str]) -> None:
    line, sink = Line(), Part()
    sensor = Sensor()
    sensor.read = lambda: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    agent_with(line, sensor, sink=sink)._stop()
    assert sensor.closed
    assert len(sink.stopped) == 1
    err = capsys.readouterr().err
    assert "while stopping: ZeroDivisionError" in err
    assert "stopped: 0 deviations told" in err


def test_parts_that_hang_share_their_time(capsys: pytest.CaptureFixture[str]) -> None:
    together = threading.Barrier(3)
    parts = {name: Part(together) for name in ("late", "resolver", "worker")}
    sink = Part()
    agent_with(Line(), Sensor(), sink=sink, **parts)._stop()
    assert [len(part.stopped) for part in parts.values()] == [1, 1, 1]
    assert sink.stopped[0] <= 3


def test_losses_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    line = Line()
    agent = agent_with(line, Sensor())
    for _ in range(5):
        agent._account()
    assert line.pipeline.lost == {("open", "ring_full"): 23}


def test_a_trouble_is_told_once_and_not_more_than_so_many(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftline.saying.MAX_COMPLAINTS", 3)
    line = Line()
    agent = agent_with(line, Sensor())
    for number in (1, 1, 2, 3, 4, 1):
        line.shelf.errors.append(cast(Any, RuntimeError(f"trouble {number}")))
        agent._complain()
    assert capsys.readouterr().err.count("trouble") == 3
    assert line.shelf.errors == []
