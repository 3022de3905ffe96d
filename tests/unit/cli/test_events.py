"""``driftline events``: the filter, JSON lines, the order of time, a reader that goes away. Replays only: no root."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from driftline.cli import main
from driftline.nouns import Loss, Subject
from driftline.probe.capture import CaptureWriter
from driftline.source import clock_record, loss_record, subject_record
from pipeline.kernelbytes import Box, Clock


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Two containers; the later event comes first, as from two rings."""
    clock = Clock()
    web, db = Box(clock, 100, "/default/web"), Box(clock, 200, "/default/db")
    first, init = web.start("/bin/web\x1b[31m")
    opened = init.open("/srv/page")
    other = db.start("/bin/db")[0]
    path = tmp_path / "x.cap"
    with contextlib.closing(CaptureWriter(path)) as writer:
        writer.write([clock_record(0, 1_795_447_845_000_000_000), web.created(), opened, first, other])
        writer.write([subject_record(Subject(100, "/default/web", container_id="id1", name="web", pod="shop"), 1)])
        writer.write([loss_record(Loss("open", "ring_full", 23), 1)])
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[str], str]:
    assert main.run(["events", *arguments]) == 0
    out, err = capsys.readouterr()
    return out.splitlines(), err


def test_lines_in_the_order_of_time_and_losses_at_the_end(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, err = run(capsys, "--replay", str(capture))
    assert [line.split()[1] for line in lines] == ["exec", "open", "exec", "created"]
    assert err == "driftline events: lost open ring_full: 23\n"
    assert "\x1b" not in "".join(lines)
    assert r"/bin/web\x1b[31m" in lines[0]


@pytest.mark.parametrize(("wanted", "count"), [("web", 3), ("shop", 3), ("id1", 3), ("cgroup:200", 1), ("nobody", 0)])
def test_the_filter_takes_name_pod_and_id(
    capture: Path, capsys: pytest.CaptureFixture[str], wanted: str, count: int
) -> None:
    assert len(run(capsys, "--replay", str(capture), "--container", wanted)[0]) == count


def test_json_lines(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(line) for line in run(capsys, "--replay", str(capture), "--json")[0]]
    assert [row["event"] for row in rows] == ["exec", "open", "exec", "cgroup"]
    assert rows[0]["time"].startswith("2026-11-23T15:30:46.")
    assert rows[0]["container"]["name"] == "web"
    assert rows[2]["container"] is None


def test_a_reader_that_goes_away_ends_it_quietly(capture: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        command = [sys.executable, "-m", "driftline", "events", "--json", "--replay", str(capture)]
        done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")
