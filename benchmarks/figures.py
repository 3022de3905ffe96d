"""Numbers and how they are shown.

In: repeated measurements. Out: ``Row`` and ``Section``, and the Markdown of RESULTS.md. Next: ``run``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. ``met`` is None where there is no target; ``why`` is shown where it was missed."""

    what: str
    value: str
    target: str = ""
    met: bool | None = None
    note: str = ""
    why: str = ""

    @property
    def outcome(self) -> str:
        """How the target came out, and what there is to say about it."""
        verdict = "" if self.met is None else "met" if self.met else "**missed**"
        return ". ".join(part for part in (verdict, self.note, self.why if self.met is False else "") if part)


@dataclass(slots=True)
class Section:
    """A table with the way it was measured."""

    title: str
    method: str
    rows: list[Row] = field(default_factory=list)


def spread(values: Sequence[float], unit: str, digits: int = 0) -> str:
    """``median unit (lowest–highest)``; a single value stands alone."""
    middle = f"{median(values):,.{digits}f}"
    if len(values) == 1:
        return f"{middle} {unit}"
    return f"{middle} {unit} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def percentile(values: Iterable[float], percent: float) -> float:
    """The value that ``percent`` per cent of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def markdown(section: Section) -> str:
    """The section as Markdown."""
    lines = [
        f"## {section.title}",
        "",
        *([section.method, ""] if section.method else []),
        "| what | measured | target | |",
        "|---|---|---|---|",
    ]
    for row in section.rows:
        lines.append(f"| {row.what} | {row.value} | {row.target} | {row.outcome} |")
    return "\n".join(lines) + "\n"
