"""What each golden capture amounts to, and how to write it down anew.

In: captures/NAME.cap. Out: NAME.events.txt (``driftline events --replay``), NAME.baseline.yaml (``learn``),
NAME.deviations.json (``check`` against the baseline of "usual"; "alone": without any baseline). From the repository:

    PYTHONPATH=tests .venv/bin/python -m pipeline.expect

Read the difference before you commit it. Next: ``test_golden`` compares.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from driftline.cli.main import run

CAPTURES = Path(__file__).parent / "captures"
NAMES = ("usual", "attack", "late", "pod")
USUAL = CAPTURES / "usual.baseline.yaml"
_RANDOM = ("id",)  # of a deviation


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def driftline(*arguments: str | Path) -> Done:
    """Run the command in this process, which takes a tenth of the time."""
    with contextlib.redirect_stdout(io.StringIO()) as stdout, contextlib.redirect_stderr(io.StringIO()) as stderr:
        status = run([str(argument) for argument in arguments])
    return Done(status, stdout.getvalue(), stderr.getvalue())


@contextlib.contextmanager
def utc() -> Iterator[None]:
    """Local time is UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def events(name: str) -> str:
    """Lines of ``events``."""
    with utc():
        return driftline("events", "--replay", CAPTURES / f"{name}.cap").stdout


def baseline(name: str) -> str:
    """YAML of ``baseline learn``."""
    return driftline("baseline", "learn", CAPTURES / f"{name}.cap").stdout


def deviations(name: str) -> list[dict[str, Any]]:
    """What ``baseline check`` tells, in order, without what is random."""
    done = driftline("baseline", "check", "--format", "json", "--baseline", USUAL, CAPTURES / f"{name}.cap")
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    return [plain(row) for row in rows]


def plain(value: Any) -> Any:
    """Without what is random and without what is empty: the rest can be read."""
    if isinstance(value, dict):
        kept = {name: plain(one) for name, one in value.items() if name not in _RANDOM}
        return {name: one for name, one in kept.items() if one not in ("", 0, None, [], {})}
    return [plain(one) for one in value] if isinstance(value, list) else value


def main() -> None:
    """Write all of them."""
    for name in NAMES:
        (CAPTURES / f"{name}.events.txt").write_text(events(name), encoding="utf-8")
        (CAPTURES / f"{name}.baseline.yaml").write_text(baseline(name), encoding="utf-8")
    for name in NAMES:
        text = json.dumps(deviations(name), indent=1, sort_keys=True)
        (CAPTURES / f"{name}.deviations.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
