"""Tables fit their terminal: nothing is cut, and every cell stands under its head."""

from __future__ import annotations

import os
import sys

import pytest

from driftline.cli import tables

ROWS = [("IMAGE", "DIGEST", "STATE"), ("shop/web:1", "ab12", "active"), ("字", "cd", "learning")]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert tables.aligned(ROWS) == [
        "IMAGE       DIGEST  STATE",
        "shop/web:1  ab12    active",
        "字          cd      learning",
    ]


@pytest.mark.parametrize(("terminal", "columns", "wide"), [(True, 27, False), (True, 28, True), (False, 10, True)])
def test_on_a_narrow_terminal_names_have_a_line_of_their_own(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, columns: int, wide: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns, 24)))
    found = tables.fitted(ROWS, names=1)
    if wide:
        assert found == tables.aligned(ROWS)
        return
    assert found == ["IMAGE\n  DIGEST  STATE", "shop/web:1\n  ab12    active", "字\n  cd      learning"]
