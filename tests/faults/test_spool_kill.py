"""kill -9 of a writer at any instant: what it said was spooled is there, whole and once; nothing else is."""

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

from driftline.report.spool import Spool, SpoolOptions

KILLS = int(os.environ.get("DRIFTLINE_KILLS", "100"))
WRITER = Path(__file__).with_name("spool_writer.py")


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that starts writers."""
    command = [sys.executable, str(WRITER), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def run_until_killed(writers: subprocess.Popen[str], begin: int, seconds: float) -> list[tuple[str, range]]:
    """Return what a writer said before it was killed ``seconds`` after it had opened the spool."""
    assert writers.stdin
    assert writers.stdout
    writers.stdin.write(f"{begin}\n")
    word, pid, _ = writers.stdout.readline().split()
    assert word == "open"
    time.sleep(seconds)
    os.kill(int(pid), signal.SIGKILL)
    said = []
    while (line := writers.stdout.readline()) != "ended 0 0\n":
        word, first, end = line.split()
        said.append((word, range(int(first), int(end))))
    return said


def content(directory: Path) -> tuple[list[int], int]:
    """Return the numbers of the entries that would be sent, and what was lost."""
    spool = Spool(SpoolOptions(directory, 64 << 20, 7.0, "never", 100))
    numbers = []
    while (chunk := spool.read(512, 1 << 20)) is not None:
        for entry in chunk.entries:
            number = int(entry.id)
            assert (entry.severity, entry.payload) == (number % 5, f"payload {number} ".encode() * (number % 90))
            numbers.append(number)
    lost = sum(loss.count for loss in spool.losses() if loss.cause != "torn")  # torn: was never said to be spooled
    spool.close()  # nothing was acknowledged: they are there for the next
    return numbers, lost


@pytest.mark.timeout(400)
def test_nothing_spooled_is_lost_and_nothing_delivered_comes_back(
    tmp_path: Path, writers: subprocess.Popen[str]
) -> None:
    chance = random.Random(20261123)
    spooled: set[int] = set()
    delivered: set[int] = set()
    again: set[int] = set()  # killed between the delivery and the cursor
    end = 0
    kills = 0
    while kills < KILLS or len(delivered) <= 10 * KILLS:  # a slow machine needs more of them, and longer lives
        kills += 1
        said = run_until_killed(writers, end, chance.uniform(0, 0.02) * max(1.0, kills / KILLS))
        for word, numbers in said:
            (spooled if word == "spooled" else delivered).update(numbers)
        found, lost = content(tmp_path)
        assert lost == 0
        assert found == sorted(set(found)), "doubled, or out of order"
        assert spooled - delivered <= set(found)
        last = [numbers for word, numbers in said if word == "delivered"][-1:]
        assert delivered.intersection(found) <= again.union(*last), "more came back than what was on its way"
        again = delivered.intersection(found)
        end = max([end, *found, *spooled]) + 1
        spooled = set(found)
