"""Locks and whole files: nobody holds the lock of a directory that is gone, nothing is read through a link."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from driftline.baseline.keeping.files import ABSENT, LOCK, read_file, replace_file, stamp_of, take_lock, touch


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_one_holds_the_lock_and_the_next_gets_it_after(tmp_path: Path) -> None:
    directory, before = tmp_path / "a" / "b", descriptors()
    first = take_lock(directory, 0)
    for seconds in (0, 0.05):
        with pytest.raises(BlockingIOError):
            take_lock(directory, seconds)
    os.close(first)
    os.close(take_lock(directory, 0))
    assert descriptors() == before


def test_the_lock_of_a_removed_directory_locks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited for it must not believe they have the lock of the directory made since."""
    directory, real = tmp_path / "a", fcntl.flock
    waits = True

    def removed_while_we_wait(descriptor: int, how: int) -> None:
        nonlocal waits
        if waits:
            waits = False
            shutil.rmtree(directory)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", removed_while_we_wait)
    descriptor = take_lock(directory, 5)
    assert os.fstat(descriptor).st_ino == (directory / LOCK).stat().st_ino
    os.close(descriptor)


def test_a_stamp_tells_a_file_from_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert stamp_of(path) == ABSENT
    seen = set()
    for _ in range(5):
        replace_file(path, b"the same")
        seen.add(stamp_of(path))
    assert len(seen) == 5 or len({stamp.mtime_ns for stamp in seen}) == len(seen)


def test_touched_again_is_newer_even_if_the_clock_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 5)
    times = []
    for _ in range(3):
        touch(tmp_path / "f")
        times.append(stamp_of(tmp_path / "f").mtime_ns)
    assert times == sorted(set(times))


def test_only_regular_files_up_to_a_bound_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(ValueError, match="more than 4 bytes"):
        read_file(path, 4)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="link"):
        read_file(tmp_path / "link", 5)
