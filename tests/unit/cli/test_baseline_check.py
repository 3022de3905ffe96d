"""``driftline baseline check CAPTURE``: a gate that lets nothing pass it did not judge, nor breaks on a bad file."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.schema import Baseline
from driftline.cli import baselinefile, main
from driftline.nouns import Origin, Subject
from driftline.probe.capture import CaptureWriter
from driftline.source import subject_record
from pipeline.kernelbytes import Box, Clock


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    box = Box(Clock())
    record, init = box.start()
    path = tmp_path / "x.cap"
    with contextlib.closing(CaptureWriter(path)) as writer:
        writer.write([box.created(), record, init.open("/srv/x"), init.run("/tmp/x", origin=Origin.WRITABLE)[0]])
        writer.write([subject_record(Subject(100, "/default/box", "runc", "id", "web", "web:1", "sha256:aa"), 1)])
    return path


def baseline(tmp_path: Path, key: str = "sha256:aa", name: str = "b.yaml") -> Path:
    path = tmp_path / name
    path.write_text(to_yaml(Baseline(key)))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str], str]:
    status = main.run(["baseline", "check", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out.splitlines(), err


def test_deviations_one_a_line(tmp_path: Path, capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, capture, "--baseline", baseline(tmp_path))
    assert (status, err) == (1, "")
    assert [line.split()[:2] for line in out] == [
        ["high", "exec.unknown"],
        ["info", "file.read.unknown"],
        ["critical", "exec.drift"],
    ]


def test_severity_and_json(tmp_path: Path, capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--severity", "critical", "--format", "json")
    status, out, _ = run(capsys, capture, "--baseline", baseline(tmp_path), *options)
    assert status == 1
    assert [json.loads(line)["kind"] for line in out] == ["exec.drift"]


def test_a_baseline_of_another_build_does_not_let_everything_pass(
    tmp_path: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, capture, "--baseline", baseline(tmp_path, "sha256:bb"))
    assert status == 2
    assert [line.split()[1] for line in out] == ["exec.drift"]
    assert "no baseline was given for web:1: not judged against one" in err
    assert "no container was judged by" in err


def test_two_baselines_of_one_image(tmp_path: Path, capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = baseline(tmp_path), baseline(tmp_path, name="c.yaml")
    status, _, err = run(capsys, capture, "--baseline", one, "--baseline", other)
    assert status == 2
    assert f"{one} and {other} are baselines of one image" in err


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "is no baseline"), (b"\xff", "is no baseline"), (b"a: [", "is no baseline"), (b"&a [*a]", "is no baseline")],
)
def test_a_file_that_is_no_baseline(
    tmp_path: Path, capture: Path, capsys: pytest.CaptureFixture[str], content: bytes, word: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    status, out, err = run(capsys, capture, "--baseline", path)
    assert (status, out) == (2, [])
    assert word in err
    assert "Traceback" not in err


def test_a_file_too_large(
    tmp_path: Path, capture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselinefile, "MAX_FILE", 3)
    status, _, err = run(capsys, capture, "--baseline", baseline(tmp_path))
    assert (status, "is no baseline: more than 3 bytes" in err) == (2, True)


def test_a_baseline_is_required(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, capture)
    assert status == 2
    assert "--baseline" in err


def test_a_container_that_was_there_and_did_nothing_was_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = Subject(100, "/default/box", "runc", "id", "web", "web:1", "sha256:aa", attached_late=True)
    path = tmp_path / "quiet.cap"
    with contextlib.closing(CaptureWriter(path)) as writer:
        writer.write([subject_record(quiet, 1), Box(Clock(), 200, "/default/other").created()])
    assert run(capsys, path, "--baseline", baseline(tmp_path)) == (0, [], "")
