"""A disk that refuses in the middle of a write: the old baseline stays in force, and the next write succeeds."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driftline.baseline.keeping import files
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline
from driftline.errors import StateError
from faults.baseline_writer import NAME, content
from faults.test_baseline_kill import check_history

CALLS = {
    os: ("open", "fsync", "replace", "rename", "mkdir", "utime", "unlink", "fstat", "stat"),
    fcntl: ("flock",),
}
"""Every call the store makes to change or look at the disk; writing itself is ``files._write``."""
KIB = 1024


class Failing:
    """Counts calls to the disk and lets the one numbered ``fatal`` fail."""

    def __init__(self, fatal: int) -> None:
        self.fatal, self.count = fatal, 0

    def __call__(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.fatal:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        return call


def in_force(directory: Path) -> Baseline:
    found = BaselineStore(str(directory)).load_one(NAME)
    assert isinstance(found, Baseline), found
    return found


def commit(store: BaselineStore) -> Baseline:
    found = store.load_one(NAME)
    if isinstance(found, StateError):
        raise found
    before = found or content(0)
    new = replace(content(before.losses + 1), revision=before.revision, reviews=before.reviews)
    return store.commit(new, "ann", "edit", "")


def test_whichever_call_fails_the_old_or_the_new_one_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(BaselineStore(str(tmp_path), by_hand=True))
    reasons = []
    for fatal in range(1, 200):
        before = in_force(tmp_path)
        failing = Failing(fatal)
        with monkeypatch.context() as patch:
            for module, names in CALLS.items():
                for name in names:
                    patch.setattr(module, name, failing(getattr(module, name)))
            patch.setattr(files, "_write", failing(files._write))
            try:
                commit(BaselineStore(str(tmp_path), by_hand=True))
            except StateError as error:
                reasons.append(str(error))
        now = in_force(tmp_path)
        assert now.losses - before.losses in {0, 1}
        assert now.entries == content(now.losses).entries
        after = commit(BaselineStore(str(tmp_path), by_hand=True))
        assert after.losses == now.losses + 1
        check_history(BaselineStore(str(tmp_path)), after)
        if failing.count < fatal:
            break  # nothing failed any more
    assert failing.count < fatal, "there are more calls than were tried"
    assert len(reasons) > 10
    assert not [reason for reason in reasons if "No space left" not in reason]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_fills_up_at_any_byte_leaves_a_whole_baseline(disk: Path) -> None:
    commit(BaselineStore(str(disk), by_hand=True))
    ballast, outcomes = disk / "ballast", set()
    for free in range(0, 40 * KIB, 4 * KIB):
        before = in_force(disk)
        status = os.statvfs(disk)
        ballast.write_bytes(b"x" * (status.f_bavail * status.f_frsize - free))
        try:
            commit(BaselineStore(str(disk), by_hand=True))
            outcomes.add("written")
        except StateError as error:
            outcomes.add(str(error).partition(": ")[2].splitlines()[0])
        now = in_force(disk)
        assert now.losses - before.losses in {0, 1}
        assert now.entries == content(now.losses).entries
        ballast.unlink()
        assert not list(disk.glob("**/*.new")), "a full disk is not left fuller"
    assert outcomes == {"written", "No space left on device"}
    check_history(BaselineStore(str(disk)), commit(BaselineStore(str(disk), by_hand=True)))
