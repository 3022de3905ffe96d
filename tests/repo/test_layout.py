"""The repository looks as its documents say: what lies where, how long files may be, what none of them holds."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOP = {
    "folders": {"agent", "baselines", "benchmarks", "bpf", "collector", "deploy", "docs", "proto", "tests", "LICENSES"},
    "files": {
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Dockerfile",
        "LICENSE",
        "Makefile",
        "README.md",
        "SECURITY.md",
        "buf.yaml",
        "pyproject.toml",
    },
}
MAX_LINES = 450  # of a source file: the yardstick is 150, rarely 350
README_LINES = 150
GENERATED = "/gen/"
SOURCES = {".py", ".c", ".h", ".proto", ".sh"}


def tracked() -> list[Path]:
    """Files git knows or would add: what a clone has, and what it is about to have."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py" and GENERATED not in str(path)]


def short(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_top_level() -> None:
    parts = [path.relative_to(ROOT).parts for path in FILES]
    folders = {part[0] for part in parts if len(part) > 1 and not part[0].startswith(".")}
    files = {part[0] for part in parts if len(part) == 1 and not part[0].startswith(".")}
    assert files == TOP["files"]
    assert folders == TOP["folders"]


def test_source_files_are_short() -> None:
    sources = [path for path in FILES if path.suffix in SOURCES and GENERATED not in str(path)]
    assert len(sources) > 100
    assert not [path for path in sources if path.read_text().count("\n") > MAX_LINES]


def test_readme_is_short() -> None:
    assert (ROOT / "README.md").read_text().count("\n") < README_LINES


def test_modules_say_what_they_are_for() -> None:
    """An empty ``__init__`` only marks a package."""
    silent = [
        path for path in PYTHON if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not short(silent)


def test_bpf_files_name_their_licence_and_reason() -> None:
    files = [path for path in FILES if path.suffix in {".c", ".h"} and path.is_relative_to(ROOT / "bpf")]
    assert len(files) > 15
    for path in files:
        first, second = path.read_text().splitlines()[:2]
        assert first == "/* SPDX-License-Identifier: GPL-2.0-only */", path
        assert second.startswith("/* "), f"{path}: say what it sees and why here"


def test_hooks_decoders_and_tests_have_the_same_names() -> None:
    """A hook without a record of its own (fork), and providers of one body (lsm, fentry, sys_exit), have none."""
    decoders = {path.stem for path in (ROOT / "agent/driftline/decode").glob("*.py")}
    tests = {path.stem.removeprefix("test_decode_") for path in (ROOT / "tests/unit/decode").glob("test_decode_*.py")}
    hooks = {path.name.removesuffix(".bpf.c") for path in (ROOT / "bpf").glob("*.bpf.c")}
    assert {"exec", "connect", "cgroup"} <= hooks & decoders & tests


def test_nothing_is_left_for_later() -> None:
    word = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X:")))
    texts = [
        path for path in FILES if path.suffix in SOURCES | {".md", ".toml", ".yaml"} and "LICENSE" not in path.name
    ]
    assert not short([path for path in texts if word.search(path.read_text())])


def test_nothing_names_what_a_clone_does_not_have() -> None:
    absent = re.compile(r"\.\./shared|/work/(main|shared)\b")
    texts = [path for path in FILES if path.suffix in SOURCES | {".md", ".toml", ".yaml", ".service"}]
    assert not [path for path in short(texts) if absent.search((ROOT / path).read_text()) and "tests/repo" not in path]


def test_licences_are_whole() -> None:
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()
    assert "END OF TERMS AND CONDITIONS" in (ROOT / "LICENSE").read_text()
    gpl = (ROOT / "LICENSES/GPL-2.0-only.txt").read_text()
    assert "Version 2, June 1991" in gpl
    assert "END OF TERMS AND CONDITIONS" in gpl
