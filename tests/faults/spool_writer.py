"""Processes that write to a spool until they are killed; tests kill them.

In: the spool's directory; on standard input, a line for each process to start: the number of its first entry. Out:
lines: ``open PID 0``; for entries that are now in the spool, ``spooled FIRST END``; for those that were acknowledged,
``delivered FIRST END``; once it was killed, ``ended 0 0``. Why forked: to start Python takes longer than all the rest.
Next: test_spool_kill.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from driftline.report.spool import Item, Spool, SpoolOptions

READ = 60  # entries taken at a time, so that most are delivered


def say(word: str, first: int, end: int) -> None:
    """One write, so that a line is told wholly or not at all."""
    os.write(1, f"{word} {first} {end}\n".encode())


def write(directory: Path, number: int) -> None:
    """Write entries numbered from ``number``, and acknowledge the oldest now and then."""
    spool = Spool(SpoolOptions(directory, 64 * 1024 * 1024, 7.0, "never", 100))
    say("open", os.getpid(), 0)
    for turn in itertools.count():
        end = number + 1 + turn * 7 % 40
        items = [Item(i % 5, str(i), f"payload {i} ".encode() * (i % 90)) for i in range(number, end)]
        assert spool.append(items)[1] == len(items)
        say("spooled", number, end)
        number = end
        if turn % 3 == 2 and (chunk := spool.read(READ, 1 << 20)) is not None:
            say("delivered", int(chunk.entries[0].id), int(chunk.entries[-1].id) + 1)
            spool.acknowledge(chunk.first, chunk.last)
            spool.save()
            spool.tidy()


def main() -> None:
    """One child at a time."""
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            write(Path(sys.argv[1]), int(line))
        os.waitpid(child, 0)
        say("ended", 0, 0)


if __name__ == "__main__":
    main()
