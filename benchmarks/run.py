"""``make bench``: every measurement, one after another, into RESULTS.md.

In: root, a kernel that can run the agent, runc. Out: ``benchmarks/RESULTS.md``. Nothing runs beside a measurement but
what it measures; what else the machine did is in the load average. Next: a reader.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import agent_cost, baselines, collector_fleet, cost, latency, pauses, pipeline, startup
from benchmarks.figures import Row, Section, markdown
from benchmarks.machine import describe
from benchmarks.results import FALSE_ALARMS, kept

RESULTS = Path(__file__).with_name("RESULTS.md")
DEVIATIONS = 50_000
COLLECTOR_TARGET = 10_000
COLLECTOR_METHOD = (
    f"`benchmarks/collector.py`: {DEVIATIONS:,} deviations of ordinary size in batches from one agent's stream, "
    "stored in SQLite and followed by one client, three processes; from the first batch sent until the last "
    "deviation was read."
)
HEAD = """# What Driftline costs

Written by `make bench`; do not edit. Median (lowest–highest). Targets: docs/design/targets.md. What the words
mean and how to measure again: [README.md](README.md).

"""
MEASUREMENTS: dict[str, Callable[[], list[Section]]] = {
    "start to armed": lambda: [startup.section()],
    "exec to tail": lambda: [latency.section()],
    "cost of open, exec, connect": cost.sections,
    "CPU and memory of the agent": agent_cost.sections,
    "pipeline and storm": pipeline.sections,
    "pauses of the main loop": lambda: [pauses.section()],
    "baselines": lambda: [baselines.section()],
    "collector": lambda: [collector()],
    "collectors under a fleet": collector_fleet.sections,
}


def collector() -> Section:
    """Deviations per second, by the collector's own script."""
    script = Path(__file__).with_name("collector.py")
    done = subprocess.run([sys.executable, script, str(DEVIATIONS)], capture_output=True, text=True, check=True)
    rate = re.search(r"stored and tailed: (\d+)", done.stdout)
    late = re.search(r"submit to follower: (.*)", done.stdout)
    if rate is None or late is None:
        raise RuntimeError(f"{script.name} said: {done.stdout}")
    number = int(rate[1])
    rows = [
        Row("stored and tailed", f"{number:,}/s", f"> {COLLECTOR_TARGET:,}/s", number > COLLECTOR_TARGET),
        Row("from an agent's `submit` to a following client", late[1]),
    ]
    return Section("The collector", COLLECTOR_METHOD, rows)


def main() -> None:
    """Measure, print progress, write."""
    began = time.monotonic()
    text = HEAD + "\n".join(describe()) + "\n"
    missed: list[str] = []
    for name, measure in MEASUREMENTS.items():
        print(f"{time.monotonic() - began:5.0f} s  {name}", flush=True)
        for section in measure():
            text += "\n" + markdown(section)
            missed += [f"{section.title}: {row.what}" for row in section.rows if row.met is False]
            for row in section.rows:
                print(f"         {row.what}: {row.value}  {row.target} {row.outcome}", flush=True)
    other = kept(RESULTS, FALSE_ALARMS)  # measured apart: it takes as long as somebody has
    RESULTS.write_text(f"{text}\n{other}" if other else text)
    print(f"{time.monotonic() - began:5.0f} s  written to {RESULTS.relative_to(Path.cwd())}")
    print(f"targets missed: {'; '.join(missed) if missed else 'none'}")


if __name__ == "__main__":
    main()
