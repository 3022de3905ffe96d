"""Rows → lines of a table, each column as wide as its widest cell on a terminal.

In: rows of printable text. Out: lines. Why two for a row on a narrow terminal: a line that the terminal breaks stands
under no head. Next: ``baseline list``, ``baseline fleet``.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from rich.cells import cell_len


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a line for each of ``rows``, which all have as many cells as the first."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in rows]


def fitted(rows: Sequence[tuple[str, ...]], names: int) -> list[str]:
    """Return the same; if the terminal is too narrow for it, the first ``names`` cells of a row on a line above it."""
    lines = aligned(rows)
    if not sys.stdout.isatty() or max(map(cell_len, lines)) <= shutil.get_terminal_size().columns:
        return lines
    rest = aligned([row[names:] for row in rows])
    return [f"{'  '.join(row[:names])}\n  {line}" for row, line in zip(rows, rest, strict=True)]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
