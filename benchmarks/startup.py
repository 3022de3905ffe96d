"""From the start of the agent to "armed".

In: nothing. Out: a table: with a cold and a warm cache of compiled programs, as ``driftline agent`` and as the agent's
process alone (what is left when the settings are validated already). Next: ``run``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from benchmarks.figures import Row, Section, spread
from benchmarks.stage import PYTHON, ROOT, end

from rig import session

COLD, WARM = 3, 5
COLD_SECONDS, WARM_SECONDS = 2.0, 1.0
METHOD = (
    "Wall time from spawning the process until its line `armed` was read, standalone; cold: an empty state "
    f"directory, so the programs are compiled ({COLD} starts); warm: they are in the cache ({WARM} starts). The "
    "files of Python and the libraries are in the page cache in both."
)
WHY_COLD = "Reading clang and bcc in and compiling takes 1.2 to 2 s of one core"
WHY_WARM = "The verifier looks at the larger programs for 0.25 s; importing Python modules takes as long"


def until_armed(command: Sequence[str]) -> float:
    """Seconds."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        passed = time.monotonic() - begun
        if "armed" not in said:
            raise RuntimeError(f"the agent said: {said}{process.stderr.read()}")
        return passed
    finally:
        end(process)


def command(state: str) -> list[str]:
    """As an operator starts it."""
    return [*PYTHON, "agent", "--standalone", "--state-dir", state, "--watched-roots", ROOT]


def process(state: str) -> list[str]:
    """What ``driftline agent`` becomes."""
    settings = {"state_dir": state, "watched_roots": [ROOT], "node": "bench"}
    return [sys.executable, "-m", "driftline.lifecycle", json.dumps(settings)]


def starts(make: Callable[[str], list[str]], count: int, warm: bool) -> list[float]:
    """Seconds of each start; warm ones come after one that does not count."""
    found = []
    with tempfile.TemporaryDirectory(prefix=f"{session.TOKEN}-warm-") as shared:
        if warm:
            until_armed(command(shared))
        for _ in range(count):
            with tempfile.TemporaryDirectory(prefix=f"{session.TOKEN}-cold-") as fresh:
                found.append(until_armed(make(shared if warm else fresh)))
    return found


def section() -> Section:
    """For RESULTS.md."""
    rows = []
    for name, make in {"`driftline agent`": command, "the agent's process alone": process}.items():
        for warm in (False, True):
            times = starts(make, WARM if warm else COLD, warm)
            limit = WARM_SECONDS if warm else COLD_SECONDS
            met = sorted(times)[len(times) // 2] < limit
            what = f"{name}, {'warm' if warm else 'cold'}"
            why = WHY_WARM if warm else WHY_COLD
            rows.append(Row(what, spread(times, "s", 2), f"< {limit:.0f} s", met, why=why))
    return Section("From start to armed", METHOD, rows)


if __name__ == "__main__":
    for row in section().rows:
        print(row.what, row.value, row.outcome)
