"""The whole agent on real containers: it learns, then tells; it starts and stops without a trace."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, State
from driftline.probe.preflight import CAPABILITIES
from rig.agent import Agent
from rig.kernel_objects import Object, foreign, present
from rig.runc import RuncContainer, run_once

pytestmark = pytest.mark.containers

LEARN = ("--learn-seconds", "1.5", "--learn-quiet-seconds", "0.5")


def _ours() -> set[Object]:
    """BPF objects nobody else on this machine answers for."""
    return set(present()) - foreign()


def _gone(before: set[Object]) -> bool:
    """Whether nothing new is left; programs are freed after an RCU grace period."""
    deadline = time.monotonic() + 30
    while (left := _ours() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not left


def _detecting(agent: Agent, container: RuncContainer) -> None:
    agent.wait_line(f"detecting container:{container.id}")


def test_a_dropped_binary_is_told_with_its_evidence(tmp_path: Path) -> None:
    with Agent(tmp_path, *LEARN) as agent, RuncContainer() as container:
        container.run(["/bin/sh", "-c", "cat /etc/passwd"])
        _detecting(agent, container)
        container.run(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; /tmp/sh -c 'echo dropped'"])
        found = agent.wait_deviation("exec.drift", "/tmp/sh")
        assert found["severity"] == "critical"
        assert found["file"]["origin"] == "writable"
        assert found["argv"] == ["/tmp/sh", "-c", "echo dropped"]
        assert found["ancestors"][0]["path"] == "/bin/busybox"
        busybox = subprocess.run(["sha256sum", "/bin/busybox"], capture_output=True, text=True, check=True).stdout[:64]
        agent.wait(lambda: any(d["id"] == found["id"] and d["sha256"] == busybox for d in agent.deviations))


def test_what_was_learned_stays_silent_and_survives_a_restart(tmp_path: Path) -> None:
    script = ["/bin/sh", "-c", "read x < /etc/hostname || true"]
    with RuncContainer() as container:
        with Agent(tmp_path, *LEARN) as agent:
            for _ in range(5):
                container.run(script, check=False)
            _detecting(agent, container)
            agent.wait(lambda: list(tmp_path.glob(f"baselines/*{container.id}/baseline.yaml")))  # for people
        with Agent(tmp_path, *LEARN) as agent:
            for _ in range(5):
                container.run(script, check=False)
            container.run(["/bin/sh", "-c", "read x < /etc/shadow"], check=False)
            agent.wait_deviation("file.read.sensitive", "/etc/shadow")
            told = [(d["kind"], d["what"]) for d in agent.deviations]
            assert [one for one in told if one[1] not in ("/etc/shadow",)] == []


def test_a_container_that_lives_milliseconds_is_attributed(tmp_path: Path) -> None:
    with Agent(tmp_path, "--learn-seconds", "600") as agent:
        once = run_once(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; /tmp/sh true"])
        found = agent.wait_deviation("exec.drift", "/tmp/sh")
        assert found["subject"]["container_id"] == once.id
        assert found["learning"] is True


def test_a_stop_in_order_leaves_nothing_in_the_kernel(tmp_path: Path) -> None:
    before = _ours()
    with RuncContainer(), Agent(tmp_path) as agent:
        assert {kind for kind, _number in _ours() - before} == {"prog", "map", "link"}
        assert agent.stop() == 0
    assert _gone(before)


def test_a_killed_agent_leaves_nothing_in_the_kernel(tmp_path: Path) -> None:
    before = _ours()
    with Agent(tmp_path) as agent:
        agent.stop(signal.SIGKILL)
    assert _gone(before)


@pytest.mark.timeout(400)
def test_ten_restarts_under_load_keep_learning_and_leave_nothing(tmp_path: Path) -> None:
    before = _ours()
    with RuncContainer() as container:
        load = container.spawn(["/bin/sh", "-c", "until [ -e /tmp/stop ]; do read x < /etc/hostname; done"])
        try:
            for number in range(10):
                with Agent(tmp_path, "--learn-seconds", "600") as agent:
                    container.run(
                        ["/bin/sh", "-c", f"cp /bin/busybox /tmp/run{number}; /tmp/run{number} true"], check=False
                    )
                    agent.wait_deviation("exec.drift", f"/tmp/run{number}")
                    assert agent.stop() == 0
        finally:
            container.run(["/bin/touch", "/tmp/stop"])
            load.wait()
        found = list(BaselineStore(str(tmp_path)).load())
        assert any(isinstance(one, Baseline) and one.state is State.LEARNING for one in found)
    assert _gone(before)


def _run(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "driftline", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--learn-seconds", "-1"), "learn_seconds"),
        (("--collector", "nowhere"), "HOST:PORT"),
        ((), "no collector"),
        (("--standalone", "--open-provider", "magic"), "--open-provider"),
    ],
)
def test_malformed_settings_are_one_clear_sentence(options: tuple[str, ...], words: str) -> None:
    done = _run("agent", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("learn_secconds: 3\n")
    done = _run("agent", "--standalone", "--config", str(file))
    assert done.returncode == 2
    assert "learn_secconds" in done.stderr
    assert "learn_seconds" in done.stderr


def test_a_missing_capability_is_named(tmp_path: Path) -> None:
    command = [
        "setpriv",
        "--bounding-set",
        "-bpf,-perfmon,-sys_admin",
        "--inh-caps=-all",
        sys.executable,
        "-m",
        "driftline",
    ]
    command += ["agent", "--standalone", "--state-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3, done.stderr
    assert "CAP_BPF" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_read_only_state_directory_degrades_by_a_sentence(tmp_path: Path) -> None:
    with Agent(Path("/proc/driftline"), *LEARN) as agent, RuncContainer() as container:
        agent.wait_line("cannot be written")
        _detecting(agent, container)
        container.run(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; /tmp/sh true"], check=False)
        agent.wait_deviation("exec.drift", "/tmp/sh")


def test_a_full_disk_is_told_and_detection_goes_on(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)], check=True)
    try:
        (tmp_path / "filler").write_bytes(bytes(60_000))
        with Agent(tmp_path, *LEARN, compiled=False) as agent, RuncContainer() as container:
            _detecting(agent, container)
            container.run(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; /tmp/sh true"], check=False)
            agent.wait_deviation("exec.drift", "/tmp/sh")
            agent.wait_line("No space left")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_an_unreachable_collector_is_told_and_the_agent_goes_on(tmp_path: Path) -> None:
    with Agent(tmp_path, "--collector", "127.0.0.1:1", "--heartbeat-seconds", "0.5", standalone=False) as agent:
        agent.wait_line("127.0.0.1:1")
        agent.wait(lambda: (tmp_path / "status.json").exists())
        assert json.loads((tmp_path / "status.json").read_text())["pid"] == agent.process.pid
        assert agent.stop() == 0


def test_a_process_moved_out_of_its_cgroup_is_told(tmp_path: Path) -> None:
    with Agent(tmp_path, "--learn-seconds", "600") as agent, RuncContainer() as container:
        agent.wait(lambda: Path(f"/proc/{container.pid}/comm").read_text() == "idle\n")  # runc's init has executed
        root = container.cgroup_directory.parent.parent
        (root / "cgroup.procs").write_text(str(container.pid))
        try:
            found = agent.wait_deviation("coverage.gap", f"process {container.pid}")
            assert found["process"]["pid"] == container.pid
            assert "moved out" in found["sentence"]
        finally:
            (container.cgroup_directory / "cgroup.procs").write_text(str(container.pid))


def test_the_documented_capabilities_are_enough(tmp_path: Path) -> None:
    wanted = "-all," + ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in CAPABILITIES)
    command = ["setpriv", f"--bounding-set={wanted}", f"--inh-caps={wanted}", "--no-new-privs", sys.executable]
    command += ["-m", "driftline", "events", "--seconds", "1", "--state-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "watching" in done.stderr
