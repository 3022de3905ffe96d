"""kill -9 of a writer at any instant: the old baseline or the new one is in force, and no revision is lost or half."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.baseline.format.canonical import version_of
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline
from faults.baseline_writer import NAME, content

KILLS = 120
LONGEST = 0.04  # seconds a writer lives: some commits; longer if KILLS were too few for a slow machine
WRITER = Path(__file__).with_name("baseline_writer.py")


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that starts writers."""
    command = [sys.executable, str(WRITER), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def run_until_killed(writers: subprocess.Popen[str], seconds: float) -> int:
    """Return the last step a writer said was in force, 0 if it said none."""
    assert writers.stdin
    assert writers.stdout
    writers.stdin.write("\n")
    word, pid = writers.stdout.readline().split()
    assert word == "open"
    time.sleep(seconds)
    os.kill(int(pid), signal.SIGKILL)
    said = [line.split() for line in iter(writers.stdout.readline, "ended 0\n")]
    return max((int(number) for _word, number in said), default=0)


def in_force(store: BaselineStore) -> Baseline | None:
    found = store.load_one(NAME)
    assert found is None or isinstance(found, Baseline), found
    return found


def check_history(store: BaselineStore, now: Baseline) -> None:
    """Every revision is there, whole; each that was in force follows the one before, up to what is in force now."""
    revisions = store.revisions(NAME)
    assert [one.number for one in revisions] == list(range(revisions[0].number, revisions[-1].number + 1))
    assert [one.damage for one in revisions] == [""] * len(revisions)
    lived = [one for one in revisions if not one.interrupted]
    assert [one.parent for one in lived[1:]] == [one.version for one in lived[:-1]]
    assert (lived[-1].number, lived[-1].version) == (now.revision, version_of(now))


@pytest.mark.timeout(300)
def test_a_kill_leaves_the_old_baseline_or_the_new_one(tmp_path: Path, writers: subprocess.Popen[str]) -> None:
    chance = random.Random(20261123)
    before = kills = 0
    while kills < KILLS or before <= KILLS / 4:  # else the writers were killed before they did anything
        kills += 1
        said = max(before, run_until_killed(writers, chance.uniform(0, LONGEST) * max(1.0, kills / KILLS)))
        store = BaselineStore(str(tmp_path))
        now = in_force(store)
        if now is None:
            assert said == 0
            continue
        assert said <= now.losses <= said + 1, "a commit that was told is in force; at most one more was on its way"
        assert now.entries == content(now.losses).entries
        before = now.losses
    assert now is not None
    check_history(BaselineStore(str(tmp_path)), now)
