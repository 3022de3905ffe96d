"""Rows → lines of a table, each column as wide as its widest cell on a terminal.

In: rows of printable text. Out: lines. Next: ``baseline list``, ``baseline fleet``.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a line for each of ``rows``, which all have as many cells as the first."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in rows]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
