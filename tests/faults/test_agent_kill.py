"""kill -9 of the agent at random instants: what was in its spool or acknowledged is stored, once and in order.

DRIFTLINE_KILLS says how often (``make campaign``: 200 times).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.rig import PATIENCE, CollectorProcess, replay
from driftline.report.spool import Spool
from driftline.report.stream import AgentIdentity, StreamSink
from faults.agent_lives import NODE, options

KILLS = int(os.environ.get("DRIFTLINE_KILLS", "10"))
COLLECTOR_KILLS = 7  # of this many lives, one ends together with the collector's
LONGEST_LIFE = 1.2  # most are shorter than a fifth of this
LIVES = Path(__file__).with_name("agent_lives.py")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[CollectorProcess]:
    """A collector to kill."""
    collector = CollectorProcess(tmp_path / "state")
    yield collector
    collector.clean_up()


@pytest.fixture
def lives(process: CollectorProcess, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """What begins lives."""
    command = [sys.executable, str(LIVES), process.start(), str(tmp_path / "spool")]
    environment = os.environ | {"PYTHONPATH": str(LIVES.parents[1])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
    ) as one:
        yield one
        assert one.stdin
        one.stdin.close()


def part(identity: str) -> tuple[int, int]:
    """Return the life and the index in an id."""
    return int(identity[:8], 16), int(identity[-12:], 16)


def waiting(directory: Path) -> set[str]:
    """Return the ids in the spool that nobody has acknowledged. Nothing but the torn last entry may be damaged."""
    spool, found = Spool(options(directory)), set[str]()
    while (chunk := spool.read(512, 1 << 20)) is not None:
        found.update(entry.id for entry in chunk.entries)
    assert all(loss.cause == "torn" for loss in spool.losses())
    spool.close()  # nothing was acknowledged: it is all there for the next
    return found


@pytest.mark.timeout(120 + 2 * KILLS)
def test_nothing_spooled_or_acknowledged_is_lost_or_doubled(
    process: CollectorProcess, lives: subprocess.Popen[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lives.stdin
    assert lives.stdout
    chance, spooled = random.Random(20261123), set[str]()
    for life in range(KILLS):
        lives.stdin.write(f"{life}\n")
        pid = int(lives.stdout.readline())
        time.sleep(LONGEST_LIFE * chance.random() ** 2.5)
        if life % COLLECTOR_KILLS == 3:
            process.complaints(signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        assert lives.stdout.readline() == "ended\n"
        spooled |= waiting(tmp_path / "spool")
        if life % COLLECTOR_KILLS == 3:
            process.start()
    rest = StreamSink(process.address, AgentIdentity(NODE), 10_000, spool=options(tmp_path / "spool"))
    rest.start()
    rest.stop(PATIENCE)
    assert rest.losses() == []
    stored = [one.deviation.id for one in replay(process.address) if one.deviation.kind == "exec.drift"]
    with capsys.disabled():
        print(f"\n{KILLS} kills: stored {len(stored)}, of these {len(spooled)} were waiting at a kill")
    assert spooled <= set(stored)
    by_life = defaultdict[int, list[int]](list)
    for life, index in map(part, stored):
        by_life[life].append(index)
    for indices in by_life.values():  # a hole would be a loss: what came after it was spooled
        assert indices == list(range(len(indices)))
    assert len(spooled) > 10 * KILLS, "most lives ended with something in the spool"
    assert len(stored) - len(spooled) > 10 * KILLS, "and most of the longer ones had delivered something"
