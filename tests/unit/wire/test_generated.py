"""What is checked in under wire/gen is what the .proto files say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
_VERSION = re.compile(r"# Protobuf Python Version: .*|^    \d+,$", re.MULTILINE)  # of whoever's protoc


def _modules(directory: Path) -> dict[str, str]:
    paths = (path for pattern in ("*.py", "*.pyi") for path in directory.rglob(pattern))
    return {str(path.relative_to(directory)): _VERSION.sub("", path.read_text(encoding="utf-8")) for path in paths}


def test_generated_modules_are_up_to_date(tmp_path: Path) -> None:
    """If this fails: python proto/generate.py."""
    subprocess.run([sys.executable, ROOT / "proto" / "generate.py", tmp_path], check=True)
    assert _modules(tmp_path) == _modules(ROOT / "agent" / "driftline" / "wire" / "gen")
