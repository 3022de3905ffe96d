"""A difference between baselines as lines for a terminal, and as plain values for JSON.

In: ``Diff``. Out: one line for each change, everything from containers escaped. Next: ``baseline_diff`` and every
command that changes more than it was told in words.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import typer

from driftline.baseline.diff import Change, Diff, PackageChange
from driftline.baseline.schema import Entry, Excuse, section_of
from driftline.baseline.wording import ID_DIGITS, id_of, shortened, text_of
from driftline.cli.baseline import day
from driftline.text import escape, plural

SIGNS = {"added": "+", "removed": "-", "changed": "~"}
COLOURS = {"+": typer.colors.GREEN, "-": typer.colors.RED, "~": typer.colors.YELLOW}


def print_diff(diff: Diff) -> None:
    """Print ``diff``, the most important first, and how much there is."""
    for line in [*_packages(diff), *map(_change, diff.changes), *_excuses(diff)]:
        typer.secho(line, fg=COLOURS[line[0]])
    typer.echo(summary(diff))


def summary(diff: Diff) -> str:
    """Return how much differs, in one line."""
    if diff.same:
        return "no difference"
    kinds = [change.kind for change in diff.changes]
    parts = [f"{kinds.count(kind)} {kind}" for kind in SIGNS if kind in kinds]
    parts += [plural(len(diff.packages), "package")] if diff.packages else []
    parts += [f"{plural(len(diff.excused), 'check')} excused"] if diff.excused else []
    parts += [f"{plural(len(diff.unexcused), 'excuse')} taken back"] if diff.unexcused else []
    return ", ".join(parts)


def _change(change: Change) -> str:
    return f"{SIGNS[change.kind]} {shortened(text_of(change.behaviour))}{_standings(change)}"


def _standings(change: Change) -> str:
    if change.before and change.after:
        return f": {change.before.standing} → {_standing(change.after)}"
    entry = change.after or change.before
    return f"  ({_standing(entry)})" if entry and entry.standing != "allowed" else ""


def _standing(entry: Entry) -> str:
    return f"{entry.standing}, {', '.join(map(escape, entry.checks))}" if entry.checks else str(entry.standing)


def _excuses(diff: Diff) -> list[str]:
    return [f"- excuse {_excuse(one)}" for one in diff.unexcused] + [f"+ excuse {_excuse(one)}" for one in diff.excused]


def _excuse(excuse: Excuse) -> str:
    until = f"until {day(excuse.expires_ns)}" if excuse.expires_ns else "for good"
    return f"{escape(excuse.check)} {until}, {escape(excuse.author)}: {escape(excuse.reason)}"


def _packages(diff: Diff) -> list[str]:
    return [_package(change) for change in diff.packages]


def _package(change: PackageChange) -> str:
    before, after = (escape(", ".join(map(unquote, versions))) for versions in (change.before, change.after))
    if change.before and change.after:
        return f"~ package {escape(change.name)} {before} → {after}"
    return f"{'+' if change.after else '-'} package {escape(change.name)} {after or before}"


def to_json(diff: Diff) -> dict[str, Any]:
    """Return ``diff`` as plain values."""
    return {
        "same": diff.same,
        "widens": diff.widens,
        "behaviours": [_change_json(change) for change in diff.changes],
        "excused": [_excuse_json(one) for one in diff.excused],
        "unexcused": [_excuse_json(one) for one in diff.unexcused],
        "packages": [
            {"name": escape(one.name), "before": list(map(escape, one.before)), "after": list(map(escape, one.after))}
            for one in diff.packages
        ],
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "change": change.kind,
        "id": id_of(change.behaviour)[:ID_DIGITS],
        "section": section_of(change.behaviour),
        "text": text_of(change.behaviour),
        "before": _entry_json(change.before),
        "after": _entry_json(change.after),
    }


def _entry_json(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {"standing": entry.standing.value, "checks": list(map(escape, entry.checks)), "source": escape(entry.source)}


def _excuse_json(excuse: Excuse) -> dict[str, Any]:
    return {
        "check": escape(excuse.check),
        "reason": escape(excuse.reason),
        "author": escape(excuse.author),
        "expires_ns": excuse.expires_ns,
    }
