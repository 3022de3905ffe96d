"""The agent process imports what it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
