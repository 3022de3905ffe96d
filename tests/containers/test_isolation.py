"""One container's storm is its own trouble: another's deviation arrives at once, only the noisy one is held back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from rig.agent import Agent
from rig.bundle import ContainerOptions
from rig.runc import RuncContainer

pytestmark = pytest.mark.containers

RATE = 5  # deviations a second; ten seconds' worth may be told at once
RATES = ("--open-rate", "1000", "--exec-rate", "100", "--learn-seconds", "600")
STORM = ["/work/storm", "/storm", "20000", "30"]  # seconds: its container ends before


def test_the_others_deviation_is_not_held_up(tmp_path: Path) -> None:
    with (
        Agent(tmp_path, *RATES) as agent,
        RuncContainer(ContainerOptions(tmpfs=("/storm",))) as noisy,
        RuncContainer() as quiet,
    ):

        def held_back() -> list[str]:
            told = [one for one in agent.deviations if one["kind"] == "coverage.gap"]
            return [one["subject"]["container_id"] for one in told if one["loss"]["cause"] == "bucket_empty"]

        ready = quiet.spawn(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; echo ready; read x; exec /tmp/sh -c :"])
        assert ready.stdout
        assert ready.stdin
        assert ready.stdout.readline() == "ready\n"
        storm = noisy.spawn(STORM)
        agent.wait(lambda: noisy.id in held_back())  # the storm is on
        ready.stdin.write("\n")
        ready.stdin.flush()
        found = agent.wait_deviation("exec.drift", "/tmp/sh")
        assert storm.poll() is None, "it waited for the end of the storm"
        assert found["subject"]["container_id"] == quiet.id
        assert quiet.id not in held_back()


def test_a_storm_of_deviations_is_summed_and_the_others_deviation_is_on_time(tmp_path: Path) -> None:
    """400 runs of a new program, each with another argument; the other container's one is told at once, by itself."""
    with (
        Agent(tmp_path, "--deviation-rate", str(RATE), "--learn-seconds", "600") as agent,
        RuncContainer(ContainerOptions(tmpfs=("/storm",))) as noisy,
        RuncContainer() as quiet,
    ):
        ready = quiet.spawn(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; echo ready; read x; exec /tmp/sh -c :"])
        assert ready.stdout
        assert ready.stdin
        assert ready.stdout.readline() == "ready\n"
        loop = "cp /bin/busybox /storm/sh; for i in $(seq 400); do /storm/sh -c : $i; done"
        begun, storm = time.monotonic(), noisy.spawn(["/bin/sh", "-c", loop])

        def of(container: str) -> list[dict[str, Any]]:
            return [one for one in agent.deviations if one["subject"]["container_id"] == container]

        agent.wait(lambda: any("held back" in note for one in of(noisy.id) for note in one["notes"]))
        ready.stdin.write("\n")
        ready.stdin.flush()
        agent.wait(lambda: any(one["what"] == "/tmp/sh" for one in of(quiet.id)))
        assert storm.wait(60) == 0

        def told() -> int:
            latest = {one["id"]: one["count"] for one in of(noisy.id) if one["kind"] == "exec.drift"}
            return sum(latest.values())

        agent.wait(lambda: told() >= 400, 60)
        most = RATE * (10 + time.monotonic() - begun) + 10  # and the sums of what was held back
        assert len({one["id"] for one in of(noisy.id) if one["kind"] == "exec.drift"}) < most
