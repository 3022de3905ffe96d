"""An agent that learns and a person who decides, at the same time: no decision and no behaviour is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from driftline.baseline.decisions import with_standing
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import LEARNED, Baseline, Entry, Standing, State
from driftline.errors import StateError
from driftline.nouns import Behaviour, OpenBehaviour

NAME = "sha256:aa"
DECISIONS = 30
PAUSE_SECONDS = 0.02  # of each after a write, so that they take turns
PERSON = """
import sys
from faults.test_baseline_two_writers import decide
decide(sys.argv[1])
"""


def questionable(number: int) -> OpenBehaviour:
    return OpenBehaviour(f"/etc/shadow{number}", "read")


def entry(first: int, standing: Standing = Standing.ALLOWED, checks: tuple[str, ...] = ()) -> Entry:
    return Entry(LEARNED, first, first, 1, frozenset({"c1"}), standing, checks)


def decide(directory: str) -> None:
    """What a person's commands do, one after the other: reject the even ones, approve the odd ones."""
    store = BaselineStore(directory, by_hand=True)
    for number in range(DECISIONS):
        with store.locked(NAME):
            found = store.load_one(NAME)
            assert isinstance(found, Baseline)
            standing = Standing.ALLOWED if number % 2 else Standing.REJECTED
            changed = with_standing(found, [questionable(number)], standing)
            store.commit(changed, "ann", "decide", str(number))
        time.sleep(PAUSE_SECONDS)


def test_both_write_and_neither_loses(tmp_path: Path) -> None:
    store = BaselineStore(str(tmp_path))
    review: dict[Behaviour, Entry] = {
        questionable(number): entry(5, Standing.NEEDS_REVIEW, ("NL-13",)) for number in range(DECISIONS)
    }
    ours = store.save(Baseline(NAME, image="web:1", entries=review))
    command = [sys.executable, "-c", PERSON, str(tmp_path)]
    path = ":".join(sys.path)
    person = subprocess.Popen(command, env={"PYTHONPATH": path})
    learned, taken_over = set[Behaviour](), 0
    while person.poll() is None:
        behaviour = OpenBehaviour(f"/srv/{len(learned)}", "read")
        learned.add(behaviour)
        ours.entries[behaviour] = entry(time.time_ns())
        try:
            kept = store.save(ours)
        except StateError:
            continue  # the person holds the lock; as the agent does: again the next time
        taken_over += kept is not ours
        ours = kept
        time.sleep(PAUSE_SECONDS)
    assert person.returncode == 0
    final = store.commit(replace(ours, state=State.CANDIDATE), "agent", "learn", "complete")
    assert taken_over > 1
    assert learned <= final.entries.keys()
    for number in range(DECISIONS):
        standing = Standing.ALLOWED if number % 2 else Standing.REJECTED
        assert final.entries[questionable(number)].standing is standing
    assert [review.reason for review in final.reviews] == [*map(str, range(DECISIONS)), "complete"]
    assert (final.state, final.revision) == (State.CANDIDATE, 1)
