"""Numbers the documents give for bounds are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from driftline.baseline.learning import MAX_CANDIDATES, MAX_LEARNED
from driftline.identify.lineage import MAX_IMAGES, MAX_PER_CONTAINER
from driftline.identify.resolver import MAX_REQUESTS
from driftline.identify.subjects import MAX_CGROUPS, MAX_TOMBSTONES
from driftline.identify.waiting import MAX_EVENTS
from driftline.identify.waiting import MAX_PER_CONTAINER as MAX_WAITING
from driftline.probe.build import ACTION_RING_BYTES
from driftline.probe.ring import BATCH
from driftline.report.backlog import WINDOW_BATCHES
from driftline.verdict.folding import MAX_FOLDS
from driftline.verdict.worker import MAX_TASKS
from driftline.wire.service import DEVIATION_BYTES

ROOT = Path(__file__).resolve().parents[2]
LIMITS, LOSSES, ARCHITECTURE = "docs/limits.md", "docs/metrics-and-losses.md", "ARCHITECTURE.md"
MIB = 1024 * 1024


SOURCES = "".join(path.read_text() for path in (ROOT / "bpf").rglob("*.[ch]"))


def defined(name: str) -> int:
    """A number of the C sources: ``#define NAME 123``, or the size of the table NAME."""
    found = re.search(rf"#define {name} (\d+)|\b{name}, (\d+)\);", SOURCES)
    assert found, name
    return int(found[1] or found[2])


PATH_STEPS = defined("PATH_ROUNDS")
PATH_BYTES = defined("PATH_BYTES")
ARGV_BYTES = defined("ARGV_BYTES")
VARIABLES = defined("ENVIRONMENT_ROUNDS")
PIECE = defined("NAME_BYTES") - 1
PROCESSES = defined("processes")
CACHE = [defined(name) for name in ("known_files", "known_execs", "known_connects")]


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (LIMITS, f"Paths deeper than {PATH_STEPS} components and mount crossings, or longer than {PATH_BYTES} bytes"),
        (LIMITS, f"Of argv {ARGV_BYTES} bytes are kept"),
        (LIMITS, f"Of the environment {VARIABLES} pieces of {PIECE} bytes are looked at"),
        (LOSSES, f"The table of {MAX_CGROUPS:_} cgroups is full"),
        (LOSSES, f"The table of {PROCESSES:_} processes is full"),
        (LOSSES, f"Execs and connects have a ring of their own of {ACTION_RING_BYTES // MIB} MiB"),
        (LOSSES, f"More than {MAX_REQUESTS:_} containers were being named"),
        (LOSSES, f"More than {MAX_CGROUPS:_} cgroups were known at a time"),
        (LOSSES, f"More than {MAX_TOMBSTONES:_} containers ended within a minute"),
        (LOSSES, f"the container ran more than {MAX_PER_CONTAINER} programs"),
        (LOSSES, f"more than {MAX_LEARNED:_} behaviours (or {MAX_CANDIDATES:_} by entered processes)"),
        (LOSSES, f"More than {MAX_TASKS:_} executables waited"),
        (LOSSES, f"larger than {DEVIATION_BYTES // MIB} MiB"),
        (LOSSES, f"because {MAX_FOLDS:_} deviations were being folded"),
        (ARCHITECTURE, f"{MAX_CGROUPS:_} cgroups, {PROCESSES:_} processes, paths of {PATH_BYTES} bytes"),
        (ARCHITECTURE, f"`known_files` ({CACHE[0]:_}, LRU)"),
        (ARCHITECTURE, f"`known_execs` ({CACHE[1]:_}, LRU)"),
        (ARCHITECTURE, f"`known_connects` ({CACHE[2]:_}, LRU)"),
        (ARCHITECTURE, f"{BATCH:_} records a read at most"),
        (ARCHITECTURE, f"{MAX_WAITING:_} per container, {MAX_EVENTS:_} in all"),
        (ARCHITECTURE, f"{MAX_IMAGES:_} images, {MAX_PER_CONTAINER} per container"),
        (ARCHITECTURE, f"{WINDOW_BATCHES} batches under way"),
    ],
)
def test_bounds_are_told_as_they_are(page: str, sentence: str) -> None:
    text = " ".join((ROOT / page).read_text().split())
    assert sentence.replace("_", " ") in text.replace("_", " ")
