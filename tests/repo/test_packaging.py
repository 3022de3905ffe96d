"""What is installed: every module, the C sources of the sensor where it looks for them, the licences."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PARTS = ("agent", "collector", "bpf", "LICENSES", "LICENSE", "README.md", "pyproject.toml")
BUILD_SECONDS = 100  # some two; a loaded machine takes longer


def test_bcc_is_no_dependency() -> None:
    """The ``bcc`` on PyPI is an unrelated package."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)]
    assert not [one for one in wanted if re.match(r"(python3-)?bcc\b|bpfcc", one)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, offline: setuptools writes beside the sources."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    source.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__", ".mypy_cache"))
        else:
            shutil.copy(ROOT / part, source)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(directory)]
    command = [sys.executable, "-m", "pip", "wheel", *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stderr
    (path,) = directory.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_the_c_sources_where_the_sensor_looks(wheel: zipfile.ZipFile) -> None:
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "bpf").rglob("*") if path.suffix in {".c", ".h"}}
    assert len(sources) > 15
    for name in sources:
        assert wheel.read(f"driftline/{name}") == (ROOT / name).read_bytes()


def test_wheel_holds_every_module_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if name.endswith(".py")}
    trees = [(ROOT / "agent/driftline", "driftline"), (ROOT / "collector/driftline_collector", "driftline_collector")]
    modules = {f"{top}/{path.relative_to(tree)}" for tree, top in trees for path in tree.rglob("*.py")}
    assert inside == modules


def test_wheel_installs_the_command_and_the_licences(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    (entry,) = [name for name in names if name.endswith("entry_points.txt")]
    assert "driftline = driftline.__main__:main" in wheel.read(entry).decode()
    licences = {name.rpartition("/licenses/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "LICENSES/Apache-2.0.txt", "LICENSES/GPL-2.0-only.txt", "bpf/LICENSE"}


def test_an_installed_sensor_finds_its_sources(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = "from driftline.probe import source; print(source.bpf_directory()); print(len(source.join('sys_exit')))"
    command = [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    directory, size = done.stdout.splitlines()
    assert Path(directory) == tmp_path / "driftline/bpf"
    assert int(size) > 10_000
