"""Links between documents lead somewhere, and files they name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("baselines/*.md")])
FOLDERS = ("agent", "bpf", "collector", "proto", "baselines", "tests", "benchmarks", "deploy", "docs", "LICENSES")


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_resolve(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    local = [target.partition("#")[0] for target in targets if "://" not in target and not target.startswith("#")]
    assert not [target for target in local if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_files_named_exist(page: Path) -> None:
    """Paths in back quotes that start at one of our folders; ``chmod`` is the example of CONTRIBUTING.md."""
    quoted = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", page.read_text())
    missing = [path for path in quoted if not (ROOT / path).exists() and "chmod" not in path]
    assert not missing


def test_architecture_names_every_hook_and_stage() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    hooks = [path.name for path in (ROOT / "bpf").glob("*.bpf.c")]
    stages = [path.parent.name for path in (ROOT / "agent/driftline").glob("*/__init__.py")]
    assert len(hooks) > 8
    assert not [name for name in [*hooks, *(f"{stage}/" for stage in stages)] if name not in text]
