"""The digest of an executable: of the file the kernel saw, or none."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driftline.verdict.hashing import GONE, TOO_LARGE, hash_executable
from unit.baseline.making import seen

LIMIT = 1 << 30


def digest(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    path = tmp_path / "sleeper"
    shutil.copy("/bin/sleep", path)
    with subprocess.Popen([path, "100"]) as process:
        yield process.pid, path
        process.kill()


def test_a_running_program(sleeper: tuple[int, Path]) -> None:
    pid, path = sleeper
    assert hash_executable(pid, seen(path), LIMIT) == (digest("/bin/sleep"), "")


def test_a_deleted_program_is_still_hashed(sleeper: tuple[int, Path]) -> None:
    pid, path = sleeper
    file = seen(path)
    path.unlink()
    assert hash_executable(pid, file, LIMIT) == (digest("/bin/sleep"), "")


def test_a_memfd_program_is_hashed() -> None:
    descriptor = os.memfd_create("x", 0)
    try:
        os.write(descriptor, Path("/bin/sleep").read_bytes())
        file = seen(f"/proc/self/fd/{descriptor}")
        with subprocess.Popen(
            ["sleep", "100"], executable=f"/proc/self/fd/{descriptor}", pass_fds=[descriptor]
        ) as process:
            assert hash_executable(process.pid, file, LIMIT) == (digest("/bin/sleep"), "")
            process.kill()
    finally:
        os.close(descriptor)


def test_a_process_that_runs_something_else_by_now_is_hashed_by_path(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"#!/bin/sh\n")
    assert hash_executable(os.getpid(), seen(other), LIMIT) == (digest(other), "")


@pytest.mark.parametrize("change", [{"inode": 1}, {"size": 3}, {"device": 0xFFF00001}])
def test_another_file_in_its_place_is_not_hashed(tmp_path: Path, change: dict[str, Any]) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"#!/bin/sh\n")
    if "device" in change and os.major(os.stat(other).st_dev) == 0:
        pytest.skip("this file system's device is anonymous, as an overlay's is")
    assert hash_executable(os.getpid(), replace(seen(other), **change), LIMIT) == ("", GONE)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(sys.executable)
    assert hash_executable(os.getpid(), replace(seen(tmp_path / "link"), size=9), LIMIT) == ("", GONE)


def test_too_large_and_gone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert hash_executable(os.getpid(), seen(file), 4) == ("", TOO_LARGE)
    assert hash_executable(2**22 + 5, seen(file), LIMIT) == ("", GONE)
