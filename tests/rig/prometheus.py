"""What Prometheus would make of our pages and queries: metric names in a page, and in PromQL; promtool's verdict.

In: an exposition, queries. Out: names and labels; what promtool says (in .venv/bin, see deploy/setup.sh). Next: tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy/observability"
_WORDS = {"sum", "by", "rate", "increase", "max", "min", "topk", "histogram_quantile", "label_values", "without"}
_SUFFIXES = ("_bucket", "_sum", "_count")


def scrape(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return str(answer.read().decode())


def exposed(page: str) -> dict[str, set[str]]:
    """Return the labels of every metric of ``page``, also of those without samples."""
    found: dict[str, set[str]] = {}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE):
        names = [f"{name}{suffix}" for suffix in _SUFFIXES] if kind == "histogram" else [name]
        for one in names:
            samples = re.findall(rf"^{one}(?:{{(.*)}})? ", page, re.MULTILINE)
            found[one] = {label for inner in samples for label in re.findall(r'(\w+)="', inner)}
    return found


def queries() -> Iterator[str]:
    """Return every query of the alert rules and the dashboard."""
    for group in yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    board = json.loads((DEPLOY / "dashboard.json").read_text())
    yield from (target["expr"] for panel in board["panels"] for target in panel["targets"])
    yield from (one["definition"] for one in board["templating"]["list"] if "definition" in one)


def asked(query: str) -> tuple[set[str], set[str]]:
    """Return the metrics and the labels that ``query`` names."""
    labels = {label for inner in re.findall(r"\{([^}]*)\}", query) for label in re.findall(r"(\w+)\s*[=!]", inner)}
    for group in re.findall(r"\b(?:by|without)\s*\(([^)]*)\)", query):
        labels |= {label.strip() for label in group.split(",")}
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without)\s*\([^)]*\)", " ", query)
    bare = re.sub(r"label_values\((\w+), \w+\)", r"\1", bare)
    return {word for word in re.findall(r"[a-z]\w*", bare) if word not in _WORDS}, labels


def promtool(*arguments: str, text: str | None = None) -> str:
    """Run promtool and return what it says. It must be content."""
    beside = Path(sys.executable).parent / "promtool"
    program = str(beside) if beside.exists() else shutil.which("promtool")
    if program is None:
        reason = "needs promtool (make setup)"
        pytest.fail(reason) if os.environ.get("DRIFTLINE_KERNEL_TESTS") == "1" else pytest.skip(reason)
    done: Any = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout + done.stderr)
