"""The agent process imports what it needs, and unit tests need no network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "cryptography",
    "securesystemslib",
    "typer",
    "click",
    "rich",
    "pydantic",
    "sqlalchemy",
    "starlette",
    "yaml",
    "bcc",
    "psutil",
    "pyroute2",
}
CHILD = "DRIFTLINE_INSIDE_UNSHARE"
UNIT_SECONDS = 500  # alone some 150


def imported(*modules: str) -> set[str]:
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_agent_imports_nothing_heavy() -> None:
    modules = ("driftline.lifecycle", "driftline.vetting", "driftline.report.stream", "driftline.report.jsonlines")
    found = imported(*modules)
    assert set(modules) <= found
    assert not found & HEAVY


def test_the_list_of_heavy_modules_would_be_noticed() -> None:
    assert imported("driftline.cli.options") & HEAVY


@pytest.mark.timeout(UNIT_SECONDS + 10)
@pytest.mark.skipif(os.environ.get(CHILD) == "1", reason="this is the child of the test")
@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
def test_unit_tests_need_no_network() -> None:
    """In a network namespace where even the loopback is down; kernel tests are not among them."""
    command = ["unshare", "--net", sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/unit"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {CHILD: "1"}, capture_output=True, text=True, timeout=UNIT_SECONDS
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout
