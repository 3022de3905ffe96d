"""The command line: clear errors, right exit status, lean imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from driftline.cli import main
from driftline.errors import CollectorError, SettingsError


def test_every_command_in_the_table_can_be_imported_and_helps(capsys: pytest.CaptureFixture[str]) -> None:
    for name in main.COMMANDS:
        assert main.run([*name.split(), "--help"]) == 0
        assert f"Usage: driftline {name}" in capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name.split()[0] in out for name in main.COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("driftline ")


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["tial"]) == 2
    assert "tail" in capsys.readouterr().err


def test_an_error_is_a_sentence_a_hint_and_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["tail", "--kind", "exec.\x1b[31m"]) == SettingsError.exit_status
    err = capsys.readouterr().err
    assert err.startswith("driftline: error: no kind of deviation is called 'exec.\\x1b[31m'\n  try: one of exec.drift")
    assert "Traceback" not in err


def test_unreachable_collector(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["tail", "--no-follow", "--collector", "127.0.0.1:1"]) == CollectorError.exit_status
    assert "collector 127.0.0.1:1 cannot be reached: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from driftline.cli.main import build; build(['tail'])", "sqlalchemy driftline_collector bcc"),
        ("import driftline.report.stream, driftline.report.jsonlines", "typer rich pydantic sqlalchemy yaml psutil"),
        ("import driftline.report.jsonlines", "grpc google.protobuf"),
    ],
)
def test_a_process_imports_only_what_it_needs(code: str, absent: str) -> None:
    check = f"import sys; {code}; print(*(name for name in {absent.split()} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
