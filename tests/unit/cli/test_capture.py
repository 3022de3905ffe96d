"""``driftline capture``: what is written, whatever ends it. The kernel's part is in tests/containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline import live
from driftline.cli import main
from driftline.nouns import Loss, Subject
from driftline.source import read_notes, replay
from pipeline.kernelbytes import Box, Clock

BOX = Box(Clock())
RECORD = BOX.created()


class Scripted:
    """A kernel that sends one record, names one container, and lost something."""

    provider, reason = "lsm", "first choice"

    def __init__(self, *_arguments: Any) -> None: ...
    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_how: object) -> None: ...
    def batches(self, until: Callable[[], bool]) -> Iterator[tuple[list[bytes], list[Subject]]]:
        yield [RECORD], []
        yield [], [Subject(100, "/default/box", name="web")]

    def shortcomings(self) -> list[str]:
        return ["DNS answers are not seen"]

    def losses(self) -> list[Loss]:
        return [Loss("open", "ring_full", 23)]


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "Live", Scripted)


def test_records_names_losses_and_the_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.cap"
    assert main.run(["capture", str(path)]) == 0
    assert list(replay(path)) == [[RECORD]]
    notes = read_notes(path)
    assert notes.subjects[100].name == "web"
    assert notes.losses == [Loss("open", "ring_full", 23)]
    assert notes.wall_offset_ns > 1_000_000_000 * 10**9
    err = capsys.readouterr().err
    assert "1 records, 23 lost" in err
    assert "driftline: DNS answers are not seen\n" in err


@pytest.mark.parametrize("path", ["/proc/no.cap", "/dev/full", "/"])
def test_a_file_that_cannot_be_written(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["capture", path]) == 5
    err = capsys.readouterr().err
    assert f"{path} cannot be written" in err
    assert "Traceback" not in err
