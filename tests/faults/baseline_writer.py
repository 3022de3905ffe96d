"""Processes that commit revisions of a baseline until they are killed; tests kill them.

In: the state directory; on standard input, a line for each process to start. Out: lines: ``open PID``; ``committed N``
once step N is in force; when it was killed, ``ended 0``. Why forked: to start Python takes longer than all the
rest. Next: test_baseline_kill.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import LEARNED, Baseline, Entry, State
from driftline.nouns import Behaviour, OpenBehaviour

NAME = "sha256:aa"
KEPT = 40  # behaviours in a baseline: some come and some go with each revision


def content(number: int) -> Baseline:
    """What step ``number`` holds; ``losses`` is its number."""
    entry = Entry(LEARNED, number, number, 1, frozenset({"c1"}))
    entries: dict[Behaviour, Entry] = {
        OpenBehaviour(f"/srv/{each}", "read"): entry for each in range(number, number + KEPT)
    }
    return Baseline(NAME, image="web:1", state=State.CANDIDATE, losses=number, entries=entries)


def write(directory: str) -> None:
    """Commit one revision after the other; after each, save the same with other evidence, as the agent does."""
    store = BaselineStore(directory)
    found = store.load_one(NAME)
    made = found if isinstance(found, Baseline) else content(0)
    say("open", os.getpid())
    while True:
        new = replace(content(made.losses + 1), revision=made.revision, reviews=made.reviews)
        made = store.commit(new, "ann", "edit", "again")
        say("committed", made.losses)
        store.save(replace(made, quiet_ns=made.losses))


def say(word: str, number: int) -> None:
    """One write, so that a line is told wholly or not at all."""
    os.write(1, f"{word} {number}\n".encode())


def main() -> None:
    """One child at a time."""
    for _line in sys.stdin:
        if (child := os.fork()) == 0:
            write(sys.argv[1])
        os.waitpid(child, 0)
        say("ended", 0)


if __name__ == "__main__":
    main()
