"""``driftline baseline learn CAPTURE``: YAML on standard output or in a directory, what to know beside it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from driftline.baseline.format.yamltext import from_yaml
from driftline.baseline.schema import Standing
from driftline.cli import main
from driftline.nouns import ExecBehaviour, OpenBehaviour, Origin, Subject
from driftline.probe.capture import CaptureWriter
from driftline.source import clock_record, subject_record
from pipeline.kernelbytes import Box, Clock

HOSTILE = "/srv/\x1b[31m\n<script>\udcff"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """One image with a hostile name in it, one container without an image."""
    clock = Clock()
    web, lone = Box(clock, 100, "/default/web"), Box(clock, 200, "/default/lone")
    record, init = web.start()
    path = tmp_path / "x.cap"
    with contextlib.closing(CaptureWriter(path)) as writer:
        writer.write([clock_record(0, 1_795_447_845_000_000_000)])
        writer.write([web.created(), record, init.open(HOSTILE), init.run("/tmp/\x1b", origin=Origin.WRITABLE)[0]])
        writer.write([lone.created(), lone.start("/bin/lone")[0]])
        writer.write([subject_record(Subject(100, "/default/web", "runc", "id", "web", "web:1", "sha256:aa"), 1)])
        writer.write([subject_record(Subject(200, "/default/lone", "runc", "lone"), 1)])
    return path


def test_documents_on_standard_output(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["baseline", "learn", str(capture)]) == 0
    out, err = capsys.readouterr()
    lone, web = (from_yaml(text) for text in out.split("---\n"))
    assert (lone.key, web.key) == ("container:lone", "sha256:aa")
    assert {behaviour: entry.standing for behaviour, entry in web.entries.items()} == {
        ExecBehaviour("/usr/sbin/web", "web", "", False): Standing.ALLOWED,
        OpenBehaviour(HOSTILE, "read"): Standing.ALLOWED,
        ExecBehaviour("/tmp/\x1b", "\x1b", "/usr/sbin/web", False, "writable"): Standing.NEEDS_REVIEW,
    }
    assert all(line.isprintable() for line in (out + err).splitlines())
    assert "told while learning: /tmp/\\x1b ran in web" in err
    assert "container:lone: image unknown, so the agent judges no other container by this" in err


def test_files_in_a_directory_that_the_check_takes(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["baseline", "learn", str(capture), "--output", str(tmp_path / "new" / "dir")]) == 0
    files = sorted((tmp_path / "new" / "dir").iterdir())
    assert [file.name for file in files] == ["container-lone.yaml", "sha256-aa.yaml"]
    assert "3 behaviours of web:1" in capsys.readouterr().err
    options = [word for file in files for word in ("--baseline", str(file))]
    assert main.run(["baseline", "check", str(capture), *options]) == 1
    out = capsys.readouterr().out
    assert out.splitlines() == [line for line in out.splitlines() if "exec.drift" in line] != []


def test_a_directory_that_cannot_be_made(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["baseline", "learn", str(capture), "--output", "/proc/no"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_capture_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    CaptureWriter(tmp_path / "x.cap").close()
    assert main.run(["baseline", "learn", str(tmp_path / "x.cap")]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "driftline baseline learn: the capture holds nothing a container did\n")
