"""A look at a spool finds what waits and what is damaged, changes nothing, and does not disturb its agent."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from driftline.cli import main
from driftline.errors import StateError
from driftline.nouns import Severity
from driftline.report import cursor
from driftline.report.inspection import inspect
from driftline.report.spool import Item, Spool
from driftline.wire.convert import deviation_to_wire
from unit.report.spooling import files, items, options
from unit.wire.samples import deviation

WALL_NS = 1_795_000_000_000_000_000


def real(count: int, severity: Severity = Severity.HIGH) -> list[Item]:
    """Return entries that hold deviations, a second apart."""
    made = [deviation(severity=severity, first_wall_ns=WALL_NS + index * 10**9) for index in range(count)]
    return [Item(severity.rank, one.id, deviation_to_wire(one).SerializeToString()) for one in made]


def test_it_tells_what_waits_while_the_agent_holds_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool = Spool(options(tmp_path))
    spool.append(real(5, Severity.LOW))
    spool.append(real(3, Severity.CRITICAL))
    chunk = spool.read(2, 1 << 20)
    assert chunk
    spool.acknowledge(chunk.first, chunk.last)
    spool.save()
    assert main.run(["spool", "show", "--state-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "6 (3 critical, 3 low)" in out
    assert "2026-11-18T" in out
    assert "up to entry 2; the newest is 8" in out
    assert main.run(["spool", "verify", "--state-dir", str(tmp_path)]) == 0
    assert main.run(["spool", "show", "--json", "--state-dir", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["waiting"] == {"info": 0, "low": 3, "medium": 0, "high": 0, "critical": 3}
    assert (told["acknowledged"], told["last"], told["segments"], told["damaged"]) == (2, 8, 1, 0)
    spool.close()


def test_verify_names_every_kind_of_damage_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool = Spool(options(tmp_path))
    spool.append(real(9))
    spool.append(items(1))  # bytes that are no deviation
    spool.append([real(1)[0]._replace(id="somebody else's")])
    spool.close()
    path = files(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data + b"half")
    (tmp_path / "spool" / cursor.NAME).write_bytes(b"nonsense")
    before = {file: file.read_bytes() for file in (tmp_path / "spool").iterdir()}
    assert main.run(["spool", "verify", "--state-dir", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "cursor: its checksum is wrong" in out
    assert "damaged in 1 places" in out
    assert "the last 4 bytes are no whole entry" in out
    assert "entry 10 holds no deviation" in out
    assert "entry 11 holds another deviation than it says" in out
    assert "5 problems in 1 files" in out
    assert {file: file.read_bytes() for file in (tmp_path / "spool").iterdir()} == before


def test_no_spool_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["spool", "show", "--state-dir", str(tmp_path)]) == StateError.exit_status
    assert "there is no spool to read" in capsys.readouterr().err


def test_an_agent_that_writes_meanwhile_is_no_damage(tmp_path: Path) -> None:
    spool, stop = Spool(options(tmp_path)), threading.Event()

    def write() -> None:
        while not stop.is_set():
            spool.append(real(20))
            while (chunk := spool.read(512, 1 << 20)) is not None:
                spool.acknowledge(chunk.first, chunk.last)
            spool.save()
            spool.tidy()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(20):
            assert inspect(tmp_path / "spool").problems == []
    finally:
        stop.set()
        writer.join()
        spool.close()
