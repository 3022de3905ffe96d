"""One container's storm is its own trouble: another's deviation arrives at once, only the noisy one is held back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rig.agent import Agent
from rig.bundle import ContainerOptions
from rig.runc import RuncContainer

pytestmark = pytest.mark.containers

RATES = ("--open-rate", "1000", "--exec-rate", "100", "--learn-seconds", "600")
STORM = ["/work/storm", "/storm", "20000", "4"]
SECOND = 1.0


def test_the_others_deviation_is_not_held_up(tmp_path: Path) -> None:
    with (
        Agent(tmp_path, *RATES) as agent,
        RuncContainer(ContainerOptions(tmpfs=("/storm",))) as noisy,
        RuncContainer() as quiet,
    ):
        ready = quiet.spawn(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; echo ready; read x; exec /tmp/sh -c :"])
        assert ready.stdout
        assert ready.stdin
        assert ready.stdout.readline() == "ready\n"
        storm = noisy.spawn(STORM)
        time.sleep(1.5)
        assert storm.poll() is None
        started = time.monotonic()
        ready.stdin.write("\n")
        ready.stdin.flush()
        found = agent.wait_deviation("exec.drift", "/tmp/sh")
        assert time.monotonic() - started < SECOND
        assert found["subject"]["container_id"] == quiet.id
        assert storm.wait(60) == 0

        def held_back() -> list[str]:
            told = [one for one in agent.deviations if one["kind"] == "coverage.gap"]
            return [one["subject"]["container_id"] for one in told if one["loss"]["cause"] == "bucket_empty"]

        agent.wait(lambda: noisy.id in held_back())
        assert quiet.id not in held_back()
