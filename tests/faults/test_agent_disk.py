"""An agent whose disk hangs: what containers do is judged and told all the same, and it stops in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.agent import Agent
from rig.runc import RuncContainer

pytestmark = pytest.mark.containers
HOUR_MS = 3_600_000


def test_a_disk_that_hangs_holds_up_no_deviation(shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write of what is learned never ends."""
    agent = Agent(tmp_path, "--learn-seconds", "600")
    with monkeypatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(shim))
        patch.setenv("SLOW_SYNC_MS", str(HOUR_MS))
        agent.start()
    try:
        agent.wait_line("armed")
        with RuncContainer() as container:
            container.run(["/bin/sh", "-c", "cat /etc/passwd"])
            agent.wait(lambda: list(tmp_path.glob("baselines/*/baseline.msgpack.new")))
            container.run(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; /tmp/sh -c true"])
            agent.wait_deviation("exec.drift", "/tmp/sh")
        assert agent.stop() == 0, "it gives the disk a few seconds, and ends"
        assert not list(tmp_path.glob("baselines/*/baseline.msgpack")), "the disk did not hang"
    finally:
        agent.stop()
