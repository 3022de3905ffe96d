"""The state directory: made if missing, tried before it is relied on, its status file never half written."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from driftline.errors import StateError
from driftline.statedir import prepare, write_status


def test_a_missing_one_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "a" / "b"
    assert prepare(path, told.append) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert (list(path.iterdir()), told) == ([], [])


def test_one_that_cannot_be_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "file").write_text("")
    assert prepare(tmp_path / "file", told.append) is None
    (sentence,) = told
    assert "cannot be written (File exists): baselines are kept in memory only" in sentence


def test_the_status_file_is_replaced_whole(tmp_path: Path) -> None:
    for status in ({"pid": 1, "losses": {}}, {"pid": 2}):
        write_status(tmp_path, status)
        assert json.loads((tmp_path / "status.json").read_text()) == status
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_a_status_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot write the status file: No such file or directory"):
        write_status(tmp_path / "gone", {"pid": 1})
