"""Races against the look: what a program changes between its system call and our hook.

The path in user memory may change as it likes: nobody reads it. The descriptor table is what the sys_exit provider
reads, and another thread may exchange a descriptor before the system call's exit (docs/limits.md).
"""

from __future__ import annotations

import re
from collections import Counter

from kernel.watching import Box

COUNT = 2003
SWAPS, ROUNDS = 9001, 20  # the exchange is a race: a few thousand tries win it


def test_a_path_swapped_in_memory_fools_nobody(box: Box) -> None:
    box.container.run(["/bin/sh", "-c", "mkdir -p /upper/race; touch /upper/race/a /upper/race/b"])
    seen, done = box.told(["/work/pathrace", "/upper/race", str(COUNT)])
    opened = re.fullmatch(r"pathrace a (\d+) b (\d+)\n", done.stdout)
    assert opened is not None
    paths = Counter(event.file.path for event in seen.opens())
    assert (paths["/upper/race/a"], paths["/upper/race/b"]) == (int(opened[1]), int(opened[2]))
    assert paths.total() == COUNT


def test_what_a_descriptor_exchanged_by_another_thread_can_hide(box: Box) -> None:
    """The limit itself: each open is told or counted, but some are told as the file that took its place."""
    fooled = faults = 0
    for _ in range(ROUNDS):
        before = box.watch.counted("open", "read_fault")
        paths = Counter(
            event.file.path for event in box.see(["/work/fdswap", "/data/one", "/data/two", str(SWAPS)]).opens()
        )
        faults = box.watch.counted("open", "read_fault") - before
        assert set(paths) <= {"/data/one", "/data/two"}
        assert paths.total() + faults == SWAPS + 1, "the decoy's own open is one more"
        fooled += paths["/data/two"] - 1
        if fooled > 0:
            break
    assert fooled > 0, "if nobody can be fooled any more, take the sentence out of docs/limits.md"


def test_a_descriptor_closed_by_another_thread_is_counted(box: Box) -> None:
    """Nothing is left to look at: the open is not told, but it is not forgotten either."""
    faults = 0
    for _ in range(ROUNDS):
        before = box.watch.counted("open", "read_fault")
        opens = box.see(["/work/k_fdclose", "/data/one", str(SWAPS)]).opens("/data/one")
        faults = box.watch.counted("open", "read_fault") - before
        assert len(opens) + faults == SWAPS
        if faults:
            break
    assert faults > 0
