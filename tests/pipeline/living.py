"""Containers that come up, baselines on disk, and persons who decide: what the tests of a baseline's life share.

In: a line. Out: programs in named containers, what is kept. Next: ``test_life``, ``test_updates``.
"""

from __future__ import annotations

from dataclasses import replace

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, Standing
from driftline.nouns import Behaviour, Deviation, OpenBehaviour
from pipeline.kernelbytes import Box, Clock, Program
from pipeline.rig import Line

OLD, NEW = "sha256:01", "sha256:02"
PAGE = OpenBehaviour("/srv/page", "read")


def begin(line: Line, box: Box, digest: str = OLD, **known: str | bool) -> Program:
    """A container comes up and is named."""
    box.clock.now = max(box.clock.now, line.clock.now)  # its records are not older than what the agent saw
    line.feed(box.created())
    record, init = box.start()
    line.feed(record)
    line.name(box.cgroup, **{"image_digest": digest, "image": "shop/web:1", "name": "web"} | known)
    return init


def boxes(clock: Clock, count: int) -> list[Box]:
    return [Box(clock, 100 + number, f"/default/box{number}") for number in range(count)]


def kept(store: BaselineStore, name: str = OLD) -> Baseline:
    found = store.load_one(name)
    assert isinstance(found, Baseline)
    return found


def by_hand(store: BaselineStore) -> BaselineStore:
    return BaselineStore(str(store.root.parent), by_hand=True)


def decide(store: BaselineStore, name: str, behaviour: Behaviour, standing: Standing) -> None:
    """Somebody approves or rejects a behaviour from the command line."""
    hand = by_hand(store)
    baseline = kept(hand, name)
    baseline.entries[behaviour] = replace(baseline.entries[behaviour], standing=standing)
    hand.commit(baseline, "alice", "approve", "it is ours")


def only(line: Line, what: str) -> Deviation:
    (found,) = [one for one in line.deviations if one.what == what]
    return found
