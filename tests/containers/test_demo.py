"""``make demo``, as a stranger runs it: everything is seen, it ends clean, it can be interrupted and kept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rig import leftovers, session

pytestmark = [pytest.mark.containers, pytest.mark.kernel, pytest.mark.timeout(170)]
DEMO = session.REPOSITORY / "deploy" / "demo" / "demo.py"
_LAST_LINE = r"demo: (\d+) of \1 deviations, 0 false alarms, 0 losses, p50 [\d.]+ ms, p99 [\d.]+ ms"


ENVIRONMENT = {**os.environ, "DRIFTLINE_RIG_TOKEN": session.TOKEN}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DEMO), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False, env=ENVIRONMENT)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Each of them alone leaves nothing; a BPF object, a container or a process of the demo would show here."""
    before = leftovers.snapshot()
    yield
    session.reap("python")  # a keeper outlives the command that started it: it became our child
    assert leftovers.since(before) == []


def test_everything_is_seen_and_nothing_else() -> None:
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(_LAST_LINE, done.stdout.splitlines()[-1])
    assert done.stdout.count("\nattack ") == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_cleans_up(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, DEMO], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if line.startswith("- learning"):
                demo.send_signal(number)
                break
        rest = demo.stdout.read()
    assert demo.returncode == 130
    assert rest == "demo: interrupted, everything is cleaned up\n"


def test_kept_it_can_be_looked_at_and_stopped() -> None:
    kept = run("--keep")
    try:
        assert kept.returncode == 0, kept.stdout + kept.stderr
        assert re.fullmatch(_LAST_LINE, kept.stdout.splitlines()[-1])
        look = re.search(r"^look: +(.*)$", kept.stdout, re.MULTILINE)
        assert look
        shown = subprocess.run([*look[1].split(), "--no-follow"], capture_output=True, text=True, check=True).stdout
        assert "/etc/shadow" in shown
        assert "is kept running already" in run().stderr
    finally:
        stopped = run("--stop")
    assert (stopped.returncode, stopped.stdout) == (0, "demo: stopped, everything is cleaned up\n")
    assert run("--stop").stdout == "demo: nothing is kept running\n"
