"""One section of RESULTS.md is replaced, and nothing else."""

from __future__ import annotations

from pathlib import Path

from benchmarks import results
from benchmarks.figures import Row, Section

HEAD = "# Results\n\ntext\n"
OTHER = "## Other\n\n| a | b |\n"


def section(value: str) -> str:
    return results.markdown_with(Section("Mine", "How.", [Row("what", value)]), ["- date: today"], "make mine")


def test_it_is_added_and_then_replaced(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text(HEAD)
    results.put(file, "Mine", section("one"))
    file.write_text(f"{file.read_text()}\n{OTHER}")
    results.put(file, "Mine", section("two"))
    assert file.read_text() == f"{HEAD}\n{section('two')}\n{OTHER}"
    assert results.kept(file, "Mine") == section("two")
    assert "- command: `make mine`" in file.read_text()


def test_what_is_not_there(tmp_path: Path) -> None:
    assert results.kept(tmp_path / "RESULTS.md", "Mine") == ""
    (tmp_path / "RESULTS.md").write_text(OTHER)
    assert results.kept(tmp_path / "RESULTS.md", "Mine") == ""
