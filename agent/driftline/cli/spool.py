"""``driftline spool show`` and ``driftline spool verify``: what waits on this node for the collector.

In: the agent's state directory. Out: lines for a person, or JSON; ``verify`` ends with 1 if anything is damaged. Reads
only, so both work while the agent runs, and where there is none. Next: ``report.inspection``.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from driftline.nouns import Severity
from driftline.report.inspection import Inspection, inspect
from driftline.settings import Settings
from driftline.text import escape

StateDir = Annotated[Path, typer.Option("--state-dir", metavar="DIR", help="The agent's state directory.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]

DEFAULT_STATE = Path(next(str(one.default) for one in fields(Settings) if one.name == "state_dir"))
DAMAGED = 1  # exit status of ``verify``
LABEL_WIDTH = 14
NS = 1_000_000_000


def show(state_dir: StateDir = DEFAULT_STATE, json: Json = False) -> None:
    """Show what waits in the spool: how many of which severity, since when, how far the collector is."""
    found = inspect(state_dir / "spool")
    print(jsonlib.dumps(as_json(found), sort_keys=True) if json else "\n".join(lines(found)))


def verify(state_dir: StateDir = DEFAULT_STATE, json: Json = False) -> None:
    """Read the whole spool and tell what is damaged. Exit status 1 if anything is."""
    found = inspect(state_dir / "spool")
    if json:
        print(jsonlib.dumps(as_json(found), sort_keys=True))
    else:
        print("\n".join([*map(escape, found.problems), verdict(found)]))
    if found.damaged:
        raise typer.Exit(DAMAGED)


def as_json(found: Inspection) -> dict[str, object]:
    """Plain values; times in ISO 8601, null if nothing waits."""
    return {
        "waiting": {severity.value: found.waiting[severity.rank] for severity in Severity},
        "oldest": moment(found.oldest_wall_ns),
        "newest": moment(found.newest_wall_ns),
        "bytes": found.size,
        "segments": found.segments,
        "acknowledged": found.acknowledged,
        "islands": found.islands,
        "last": found.last,
        "damaged": found.damaged,
        "problems": found.problems,
    }


def lines(found: Inspection) -> Iterator[str]:
    """Yield what a person wants to know, first things first."""
    by_severity = ", ".join(
        f"{found.waiting[severity.rank]} {severity}" for severity in reversed(Severity) if found.waiting[severity.rank]
    )
    total = sum(found.waiting)
    yield _line("waiting", f"{total} ({by_severity})" if total else "nothing")
    if total:
        yield _line("oldest", str(moment(found.oldest_wall_ns)))
        yield _line("newest", str(moment(found.newest_wall_ns)))
    yield _line("on disk", f"{found.size / 1024 / 1024:.1f} MiB in {found.segments} files")
    beyond = f", and {found.islands} intervals beyond" if found.islands else ""
    yield _line("acknowledged", f"up to entry {found.acknowledged}{beyond}; the newest is {found.last}")
    yield _line("damage", verdict(found))


def verdict(found: Inspection) -> str:
    """Return one sentence about damage."""
    if not found.damaged:
        return f"none in {found.segments} files, {found.size} bytes"
    return f"{found.damaged} problems in {found.segments} files; what is whole will be delivered"


def moment(wall_ns: int) -> str | None:
    """Return a Unix time in nanoseconds as ISO 8601 in UTC, None for 0."""
    return datetime.fromtimestamp(wall_ns // NS, UTC).isoformat() if wall_ns else None


def _line(label: str, text: str) -> str:
    return f"{label:<{LABEL_WIDTH}}{text}"
