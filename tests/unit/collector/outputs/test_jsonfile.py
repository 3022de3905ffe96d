"""The file output: whole lines, rotation, other people's rotation, disks that refuse."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from driftline.errors import SettingsError
from driftline_collector.outputs.formats import ENCODERS, Format
from driftline_collector.outputs.jsonfile import FileSender
from driftline_collector.outputs.sending import Unavailable
from unit.collector.outputs import things

ENCODE = ENCODERS[Format.JSON]


def sender(path: Path, rotate_bytes: int = 0, keep: int = 2) -> FileSender:
    return FileSender(path, ENCODE, rotate_bytes, keep, fsync=True)


def ids(*paths: Path) -> list[str]:
    return [json.loads(line)["id"] for path in paths for line in path.read_text().splitlines()]


def test_each_line_is_a_deviation_with_all_its_evidence(tmp_path: Path) -> None:
    item = things.stored()
    output = sender(tmp_path / "out")
    output.send([item, things.connect()])
    output.close()
    line = json.loads((tmp_path / "out").read_text().splitlines()[0])
    assert line["id"] == item.deviation.id
    assert line["process"]["pid"] == 42
    assert line["file"]["origin"] == "writable"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600


def test_rotation_keeps_order_and_number(tmp_path: Path) -> None:
    path = tmp_path / "out"
    items = [things.stored(number) for number in range(20)]
    size = len(ENCODE(items[0])) + 20
    output = sender(path, rotate_bytes=3 * size, keep=2)
    for item in items:
        output.send([item])
    output.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "out.1", "out.2"]
    kept = ids(tmp_path / "out.2", tmp_path / "out.1", path)
    assert kept == [item.deviation.id for item in items][-len(kept) :]
    assert all(one.stat().st_size <= 3 * size for one in tmp_path.iterdir())


def test_without_older_files_to_keep_it_begins_anew(tmp_path: Path) -> None:
    output = sender(tmp_path / "out", rotate_bytes=1, keep=0)
    items = [things.stored(), things.stored()]
    for item in items:
        output.send([item])
    output.close()
    assert ids(tmp_path / "out") == [items[1].deviation.id]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_was_moved_away_is_not_written_any_more(tmp_path: Path) -> None:
    """logrotate with ``create`` or without: moved, then perhaps made anew by somebody else."""
    path, items = tmp_path / "out", [things.stored() for _ in range(3)]
    output = sender(path)
    output.send([items[0]])
    path.rename(tmp_path / "moved")
    output.send([items[1]])
    path.unlink()
    path.touch()
    output.send([items[2]])
    output.close()
    assert ids(tmp_path / "moved") == [items[0].deviation.id]
    assert ids(path) == [items[2].deviation.id]


def test_copytruncate_leaves_no_hole(tmp_path: Path) -> None:
    path, items = tmp_path / "out", [things.stored() for _ in range(2)]
    output = sender(path)
    output.send([items[0]])
    os.truncate(path, 0)
    output.send([items[1]])
    output.close()
    assert ids(path) == [items[1].deviation.id]


def test_nothing_is_lost_while_somebody_moves_the_file_again_and_again(tmp_path: Path) -> None:
    path, moved, stop = tmp_path / "out", list[Path](), threading.Event()
    output = sender(path)

    def rotate() -> None:
        while not stop.wait(0.001):
            target = tmp_path / f"moved.{len(moved):05}"
            try:
                path.rename(target)
            except FileNotFoundError:
                continue
            moved.append(target)

    thread = threading.Thread(target=rotate)
    thread.start()
    items = []
    while len(items) < 300 or len(moved) <= 2:
        items.append(things.stored())
        output.send(items[-1:])
        output.reopen()
    stop.set()
    thread.join()
    output.close()
    assert ids(*moved, *([path] if path.exists() else [])) == [item.deviation.id for item in items]


def test_a_torn_last_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    path, item = tmp_path / "out", things.stored()
    path.write_text('{"id": "ha')
    output = sender(path)
    output.send([item])
    output.close()
    assert path.read_text().splitlines()[0] == '{"id": "ha'
    assert json.loads(path.read_text().splitlines()[1])["id"] == item.deviation.id


def test_a_directory_that_went_away_is_told_and_comes_back(tmp_path: Path) -> None:
    folder, item = tmp_path / "logs", things.stored()
    folder.mkdir()
    output = sender(folder / "out")
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match="out cannot be written: No such file or directory"):
        output.send([item])
    folder.mkdir()
    output.send([item])
    output.close()
    assert ids(folder / "out") == [item.deviation.id]


def test_a_path_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        sender(tmp_path / "missing" / "out")
    with pytest.raises(SettingsError, match="Is a directory"):
        sender(tmp_path)


def test_a_pipe_nobody_reads_is_no_place_to_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    output = sender(tmp_path / "pipe")
    output.send([things.stored()])
    assert b'"id"' in os.read(reader, 10_000)
    output.close()
    os.close(reader)
