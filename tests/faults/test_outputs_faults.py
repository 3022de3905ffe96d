"""Outputs while disks fill up and the collector is killed: at least once, whole lines, the same order."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.outputs import receivers
from collector.outputs.rig import collector, report, until
from collector.outputs.rig import written as lines
from collector.rig import DRIFTLINE, PATIENCE, sink
from driftline_collector.outputs import delivery, progress
from rig import ports
from unit.wire import samples

KILLS = 8


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_holds_up_only_its_output_and_leaves_no_half_line(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LONGEST_WAIT", 0.2)
    text = f"""
        name: full, type: file, path: {disk}/out, rotate_mib: 0
        name: fine, type: file, path: {tmp_path}/out
    """
    with collector(tmp_path, text) as (_, address):
        sent = report(address, 500, argv=("a" * 2000,))
        until(lambda: lines(tmp_path / "out") == sent)
        kept = progress.State()

        def failing() -> bool:
            nonlocal kept
            kept = progress.read(tmp_path / "state/outputs/full.json") or kept
            return "No space left" in kept.failing

        until(failing)
        until(lambda: (disk / "out").read_text().endswith("\n"))  # half a line is taken back
        there = lines(disk / "out")
        assert there == sent[: len(there)]
        assert there
        (disk / "out").unlink()  # somebody makes room
        until(lambda: there + lines(disk / "out") == sent)


def test_a_killed_collector_repeats_some_and_leaves_out_none(tmp_path: Path) -> None:
    """``kill -9`` at random moments while an agent reports and two outputs send."""
    with receivers.http() as server:
        address = f"127.0.0.1:{ports.free()}"
        config = tmp_path / "outputs.yaml"
        config.write_text(
            "outputs:\n"
            f"  - {{name: file, type: file, path: {tmp_path}/out}}\n"
            f"  - {{name: hook, type: webhook, url: '{server.url}', batch: 9}}\n"
        )
        arguments = ["--listen", address, "--state", str(tmp_path / "state"), "--outputs", str(config)]
        chance, agent, sent = random.Random(7), sink(address), list[str]()
        for round_ in range(KILLS):
            process = subprocess.Popen([*DRIFTLINE, "collector", *arguments], stderr=subprocess.DEVNULL)
            for _ in range(60):
                deviation = samples.deviation()
                sent.append(deviation.id)
                agent.submit(deviation)
            try:
                process.wait(0.6 + chance.random() if round_ else 2)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait(PATIENCE)
        process = subprocess.Popen([*DRIFTLINE, "collector", *arguments], stderr=subprocess.DEVNULL)
        try:
            agent.stop(PATIENCE)
            hook: list[str] = []

            def arrived() -> bool:
                hook[:] = [one["id"] for request in list(server.taken) for one in json.loads(request.body)]
                return set(hook) >= set(sent) and set(lines(tmp_path / "out")) >= set(sent)

            until(arrived)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
    for told in (hook, lines(tmp_path / "out")):
        first = list(dict.fromkeys(told))
        assert first == sent
        assert len(told) - len(first) < KILLS * 256
