"""Pages written by docs/generate.py are those the code would write today, and the code says enough to write them."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from driftline.cli import main
from driftline.cli.main import COMMANDS
from driftline.cli.options import descriptions
from driftline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current(generate: ModuleType) -> None:
    old = [path.name for path, text in generate.pages().items() if path.read_text() != text]
    assert not old, f"{old}: run .venv/bin/python docs/generate.py"


def test_a_readme_without_a_place_for_the_table_is_refused(generate: ModuleType) -> None:
    with pytest.raises(ValueError, match="comments"):
        generate.readme_with_table("# Driftline\n")


def test_every_setting_says_what_it_means() -> None:
    assert not {one.name for one in fields(Settings)} - descriptions().keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_page_has_the_options_of_the_help(
    generate: ModuleType, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = generate.commands_page().partition(f"\n## `driftline {command}")[2].partition("\n## ")[0]
    assert main.run([*command.split(), "--help"]) == 0
    in_help = set(re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)) - {"--help"}
    named = re.findall(r"`(--[a-z-]+)[ `]", page)
    in_page = {name for name in named if not name.startswith("--no-")}  # the help has them on the line of the others
    assert in_help == in_page


def test_readme_names_only_commands_and_options_that_exist(generate: ModuleType) -> None:
    known = set(re.findall(r"--[a-z-]+", generate.commands_page()))
    lines = [line for line in README.splitlines() if "driftline " in line and not line.startswith("|")]
    used = {option for line in lines for option in re.findall(r"(?<![\w-])--[a-z-]+", line)}
    assert used <= known
    invoked = {name for line in lines for name in re.findall(r"\bdriftline ([a-z]+)(?= |`|$)", line)}
    assert invoked <= {name.split()[0] for name in COMMANDS}


def test_readme_names_only_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= targets
