"""Captures of real containers give what they gave when they were recorded; nothing else is taken for a capture."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from driftline.baseline.format.yamltext import from_yaml
from driftline.baseline.shelf import Shelf
from driftline.cli.gate import FAILED
from driftline.offline import run
from driftline.probe.capture import CaptureWriter, read_capture
from driftline.settings import Settings
from pipeline import expect
from pipeline.expect import CAPTURES, NAMES, USUAL, driftline

RECORD_ERROR = 4


@pytest.mark.parametrize("name", NAMES)
def test_events_are_as_recorded(name: str) -> None:
    assert expect.events(name) == (CAPTURES / f"{name}.events.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_baseline_is_the_one_expected(name: str) -> None:
    assert expect.baseline(name) == (CAPTURES / f"{name}.baseline.yaml").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_deviations_are_the_ones_expected(name: str) -> None:
    assert expect.deviations(name) == json.loads((CAPTURES / f"{name}.deviations.json").read_text())


def test_the_gates_exit_status() -> None:
    """0: nothing deviates; 1: something does; 2: a baseline nobody was judged by."""
    assert driftline("baseline", "check", "--baseline", USUAL, CAPTURES / "usual.cap").returncode == 0
    assert driftline("baseline", "check", "--baseline", USUAL, CAPTURES / "late.cap").returncode == 0
    assert driftline("baseline", "check", "--baseline", USUAL, CAPTURES / "attack.cap").returncode == 1
    quiet = driftline("baseline", "check", "--baseline", USUAL, "--severity", "critical", CAPTURES / "late.cap")
    assert quiet.returncode == 0
    done = driftline("baseline", "check", "--baseline", USUAL, CAPTURES / "pod.cap")
    assert done.returncode == 2
    assert "no baseline was given for container:bbbb" in done.stderr
    assert "no container was judged by" in done.stderr


def test_without_a_baseline_an_image_is_not_judged_by_its_own_doings() -> None:
    shelf = Shelf(None, 10**9, 10**9, keep_ended=True)
    told = run(CAPTURES / "attack.cap", Settings(node="n"), shelf)
    assert {one.learning for one in told} == {True}
    assert "exec.unknown" not in {one.kind.value for one in told}
    assert shelf.without_baseline() == ["localhost/golden:1"]


def test_the_same_capture_gives_the_same_again() -> None:
    def once() -> list[object]:
        shelf = Shelf(None, 10**9, 10**9, keep_ended=True)
        shelf.put(from_yaml(USUAL.read_text()))
        return [
            (one.kind, one.what, one.first_wall_ns, one.count) for one in run(CAPTURES / "attack.cap", SETTINGS, shelf)
        ]

    assert once() == once()
    assert len(once()) > 20


SETTINGS = Settings(node="n")


def test_a_replay_needs_no_root_and_no_network() -> None:
    """As nobody, without a capability, in a network namespace of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)  # pytest's own directories are closed to nobody
        shutil.copytree(CAPTURES, Path(directory) / "captures")
        command = ["unshare", "--net", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        command += ["--bounding-set=-all", sys.executable, "-m", "driftline", "baseline", "check"]
        command += ["--baseline", f"{directory}/captures/{USUAL.name}", f"{directory}/captures/attack.cap"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")
    assert done.returncode == 1, done.stderr
    assert "exec.fileless" in done.stdout


COMMANDS = (
    (RECORD_ERROR, ("events", "--replay")),
    (FAILED, ("baseline", "learn")),
    (FAILED, ("baseline", "check", "--baseline", str(USUAL))),
)


def refused(path: Path, *words: str) -> None:
    """Every command says what is wrong and ends with the status of a record error; a gate with that of a failure."""
    for status, command in COMMANDS:
        done = driftline(*command, path)
        assert done.returncode == status, (command, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stderr.isprintable() or "\n" in done.stderr
        for word in (str(path), *words):
            assert word in done.stderr


def test_a_torn_capture_is_refused(tmp_path: Path) -> None:
    torn = tmp_path / "torn.cap"
    torn.write_bytes((CAPTURES / "attack.cap").read_bytes()[:-23])
    refused(torn, "is torn at record")


def test_another_file_is_refused(tmp_path: Path) -> None:
    refused(Path("/etc/passwd"), "is not a capture")
    refused(tmp_path, "Is a directory")
    refused(tmp_path / "none", "No such file")


def test_another_abi_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "old.cap"
    raw = bytearray((CAPTURES / "usual.cap").read_bytes())
    raw[10] = 99
    old.write_bytes(raw)
    refused(old, "record ABI 99", "try: replay it with the driftline that wrote it")


@pytest.mark.parametrize(
    ("what", "word"),
    [
        (lambda record: record[:2] + b"\x21" + record[3:], "unknown kind|none of this version's"),
        (lambda record: record[:60], "bytes|none of this version's"),
        (lambda record: record[:8] + b"\xff" * 8 + record[16:], "impossible time"),
    ],
)
def test_a_hostile_record_is_refused(tmp_path: Path, what: object, word: str) -> None:
    records = list(read_capture(CAPTURES / "usual.cap"))
    at = next(number for number, record in enumerate(records) if record[2] == 1)
    records[at] = what(records[at])  # type: ignore[operator]
    hostile = tmp_path / "hostile.cap"
    writer = CaptureWriter(hostile)
    writer.write(records)
    writer.close()
    for status, command in COMMANDS:
        done = driftline(*command, hostile)
        assert done.returncode == status, (command, done.stderr)
        assert any(part in done.stderr for part in word.split("|"))
