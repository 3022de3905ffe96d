"""``driftline outputs check``, ``outputs status``, ``standalone`` as their users type them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from collector.outputs import receivers
from collector.outputs.rig import collector, report, until
from collector.rig import DRIFTLINE, PATIENCE
from driftline.cli import main
from driftline.errors import SettingsError
from rig import ports


def config(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "outputs.yaml"
    path.write_text("outputs:\n" + "".join(f"  - {{{line}}}\n" for line in lines))
    return str(path)


def test_check_says_that_a_file_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = config(
        tmp_path, f"name: a, type: file, path: {tmp_path}/out", "name: b, type: syslog, to: 'udp://192.0.2.1'"
    )
    assert main.run(["outputs", "check", name]) == 0
    said = capsys.readouterr().out
    assert "outputs.yaml is right: a, b" in said
    assert "warning: output b sends unencrypted to 192.0.2.1" in said
    assert not (tmp_path / "out").exists()


def test_check_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["outputs", "check", config(tmp_path, "name: a, type: file")]) == SettingsError.exit_status
    assert "outputs.yaml, line 2: outputs[1].path: Field required" in capsys.readouterr().err
    name = config(tmp_path, f"name: a, type: file, path: {tmp_path}/none/out")
    assert main.run(["outputs", "check", name]) == SettingsError.exit_status
    assert "none is no directory that can be written" in capsys.readouterr().err


def test_a_test_reaches_every_receiver(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with receivers.http() as server, receivers.tcp() as syslog:
        name = config(
            tmp_path,
            f"name: a, type: file, path: {tmp_path}/out, format: ocsf",
            f"name: b, type: falco, url: '{server.url}', severity: high",
            f"name: c, type: syslog, to: 'tcp://127.0.0.1:{syslog.listener.getsockname()[1]}'",
            "name: d, type: otlp, timeout_seconds: 20, url: 'http://127.0.0.1:9'",
        )
        assert main.run(["outputs", "check", name, "--send-test"]) == 1
        said = capsys.readouterr().out
        assert main.run(["outputs", "check", name, "--send-test", "--name", "b"]) == 0
        until(lambda: syslog.messages)
    assert "a: sent\nb: sent\nc: sent\nd: not taken: UNAVAILABLE" in said
    assert json.loads((tmp_path / "out").read_text())["class_uid"] == 2004
    assert json.loads(server.taken[0].body)["priority"] == "Error"
    assert len(server.taken) == 2
    assert main.run(["outputs", "check", name, "--name", "z"]) == SettingsError.exit_status


def test_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = str(tmp_path / "state")
    assert main.run(["outputs", "status", "--state", state]) == 0
    assert "no output ever ran" in capsys.readouterr().out
    lines = f"""
        name: a, type: file, path: {tmp_path}/out
        name: b, type: falco, url: 'http://127.0.0.1:9/'
    """
    with collector(tmp_path, lines) as (_, address):
        report(address, 4)
        until(lambda: (tmp_path / "out").read_text().count("\n") == 4)
        b = tmp_path / "state/outputs/b.json"
        until(lambda: b.exists() and "Connection refused" in b.read_text())
    assert main.run(["outputs", "status", "--state", state]) == 0
    said = capsys.readouterr().out
    assert "a                    sent 4, 0 behind" in said
    assert "4 behind" in said
    assert "FAILING since 2" in said
    assert "http://127.0.0.1:9: Connection refused" in said


@pytest.fixture
def fake_agent(tmp_path: Path) -> Path:
    """A ``driftline agent`` that needs no kernel: reports one deviation and waits to be stopped.

    It stands in the place of the package's own module; everything else of the command is real.
    """
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys\n"
        "if sys.argv[1:2] == ['agent'] or 'agent' in sys.orig_argv:\n"
        "    import signal, threading\n"
        "    from collector.rig import sink\n"
        "    from unit.wire import samples\n"
        "    done = threading.Event()\n"
        "    signal.signal(signal.SIGTERM, lambda *_: done.set())\n"
        "    agent = sink(sys.orig_argv[-1])\n"
        "    agent.submit(samples.deviation())\n"
        "    done.wait(60)\n"
        "    agent.stop(3)\n"
        "    import os; os._exit(0)\n"
    )
    return site


def test_standalone_runs_agent_and_collector_and_ends_both(tmp_path: Path, fake_agent: Path) -> None:
    name = config(tmp_path, f"name: a, type: file, path: {tmp_path}/out")
    tests = Path(__file__).resolve().parents[2]
    roots = [fake_agent, tests, tests.parent / "agent", tests.parent / "collector"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots))}
    arguments = ["--outputs", name, "--state", str(tmp_path / "state"), "--listen", f"127.0.0.1:{ports.free()}"]
    process = subprocess.Popen(
        [*DRIFTLINE, "standalone", *arguments], env=environment, stderr=subprocess.PIPE, text=True
    )
    until(lambda: (tmp_path / "out").exists() and (tmp_path / "out").read_text().count("\n") == 1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert f"listening on {arguments[-1]}" in said


def test_standalone_ends_when_the_collector_cannot_start(tmp_path: Path, fake_agent: Path) -> None:
    name = config(tmp_path, "name: a, type: file, path: relative")
    tests = Path(__file__).resolve().parents[2]
    roots = [fake_agent, tests, tests.parent / "agent", tests.parent / "collector"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots))}
    arguments = [
        "standalone",
        "--outputs",
        name,
        "--state",
        str(tmp_path / "state"),
        "--listen",
        f"127.0.0.1:{ports.free()}",
    ]
    command = [sys.executable, "-m", "driftline", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == SettingsError.exit_status
    assert "write the whole path" in done.stderr
