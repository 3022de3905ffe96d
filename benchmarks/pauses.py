"""How long the agent's main loop stands still when learning ends, and when what is learned is written.

In: nothing; no root, no kernel. Out: a table. Why: what happens in a container meanwhile is told that much later. Next:
``run``; alone: ``python -m benchmarks.pauses``.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Row, Section, markdown, spread
from benchmarks.pipeline import CGROUP, IMAGE_ORIGIN, READ, WRITABLE_ORIGIN, WRITE_CREATE, Named, Uncounted, record

from driftline.baseline.keeping.errands import AtOnce, Beside
from driftline.baseline.keeping.saving import SAVE_NS, Saving
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.learning import MAX_LEARNED
from driftline.baseline.shelf import Shelf
from driftline.lifecycle import GC_YOUNG
from driftline.pipeline import Pipeline
from driftline.ports import NoEvidence, NoKernel
from driftline.scheduling import prefer_short_slices
from driftline.settings import Settings

REPEATS = 5
SLOW_MS = 200
TARGET_MS = 20.0
NS = 1_000_000_000
SHIM = Path(__file__).resolve().parents[1] / "tests" / "faults" / "slowdisk.c"
METHOD = (
    f"A pipeline that learned {MAX_LEARNED:,} behaviours of one image (half files of the image, half data that folds), "
    "the most one image may teach. Its loop goes round every millisecond, takes 20 records each time and ticks; "
    "the longest round while something is written or learning ends, of each of "
    f"{REPEATS} times. *On the loop* is how it was before; *beside* is what the agent does. The slow disk takes "
    f"{SLOW_MS} ms for an fsync (`tests/faults/slowdisk.c`)."
)


class Loop:
    """The agent's main loop without a kernel, at a time of its own."""

    def __init__(self, directory: str, errands: AtOnce | Beside) -> None:
        saving = Saving(BaselineStore(directory), errands)
        self.shelf, self.errands = Shelf(None, 1, 0, saving=saving), errands
        stages = (NoKernel(), Named(), self.shelf, Uncounted(), NoEvidence())
        self.ended = False
        self.pipeline = Pipeline(Settings(node="bench", deviation_rate=0), *stages, self._end, lambda _cgroup: None)
        self.pipeline.appear(CGROUP, CGROUP, "/default/x", 0, False)
        self.pipeline.collect()
        half = MAX_LEARNED // 2
        self.pipeline.feed([record(number, READ, IMAGE_ORIGIN) for number in range(half)])
        self.pipeline.feed([record(number, WRITE_CREATE, WRITABLE_ORIGIN) for number in range(half)])
        self.known = [record(number, READ, IMAGE_ORIGIN) for number in range(20)]
        self.now = time.monotonic_ns()
        self.pipeline.tick(self.now)

    def _end(self, _shelved: object) -> None:
        self.ended = True

    def longest(self, until: Callable[[], bool], pass_ns: int) -> float:
        """Milliseconds of the longest round until something is so; ``pass_ns`` passes at the first."""
        longest = 0.0
        self.now += pass_ns
        before = time.perf_counter()
        while True:
            self.pipeline.feed(self.known)
            self.pipeline.tick(self.now)
            self.shelf.save_next(self.now)
            after = time.perf_counter()
            longest, before = max(longest, after - before), after
            if until():
                return longest * 1e3
            time.sleep(0.001)
            longest = max(longest, time.perf_counter() - before - 0.001)

    def is_written(self) -> bool:
        """Whether nothing waits to be written."""
        [shelved] = self.shelf
        return not (shelved.writing or shelved.unsaved)


@contextmanager
def _loop(beside: bool) -> Iterator[Loop]:
    errands = Beside() if beside else AtOnce()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        if isinstance(errands, Beside):
            errands.start()
        yield Loop(directory, errands)
        if isinstance(errands, Beside):
            errands.stop()


def _once(beside: bool) -> tuple[float, float]:
    """Longest pauses in ms: a write while it is learned, the end of learning with its write."""
    with _loop(beside) as loop:
        [shelved] = loop.shelf
        shelved.saved_ns = loop.now - SAVE_NS
        written = loop.longest(loop.is_written, 1)
        ended = loop.longest(lambda: loop.ended and loop.is_written(), 2 * NS)
        return written, ended


def pauses(beside: bool) -> list[tuple[float, float]]:
    """``_once``, several times, as the agent has itself scheduled and looks for garbage."""
    prefer_short_slices()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG)
    return [_once(beside) for _ in range(REPEATS)]


def _slow(beside: bool) -> list[tuple[float, float]]:
    """The same on a slow disk, in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory) / "slowdisk.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, SHIM, "-ldl"], check=True)
        command = [sys.executable, "-m", "benchmarks.pauses", "beside" if beside else "loop"]
        environment = os.environ | {"LD_PRELOAD": str(library), "SLOW_SYNC_MS": str(SLOW_MS)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [(float(one), float(other)) for one, other in map(str.split, done.stdout.splitlines())]


def section() -> Section:
    """For RESULTS.md."""
    rows = []
    for disk, measure in (("", pauses), (", slow disk", _slow)):
        for where, beside in (("on the loop", False), ("beside", True)):
            written, ended = zip(*measure(beside), strict=True)
            for what, found in (("a write while learning", written), ("the end of learning", ended)):
                met = sorted(found)[len(found) // 2] < TARGET_MS if beside else None
                target = f"< {TARGET_MS:.0f} ms" if beside else ""
                rows.append(Row(f"{what}, {where}{disk}", spread(found, "ms", 1), target, met))
    return Section("Pauses of the main loop", METHOD, rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        for one, other in pauses(sys.argv[1] == "beside"):
            print(one, other)
    else:
        print(markdown(section()))
