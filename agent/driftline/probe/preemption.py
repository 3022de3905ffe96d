"""Whether this kernel interrupts itself for another task in the midst of a program.

In: debugfs, the kernel's command line, its version. Out: one word. Why it matters: the kernel does not start an fentry
program that it preempted on the same CPU, so that everything other tasks do there meanwhile goes unseen (counted as
``recursion``). Next: ``preflight``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

SCHEDULER = Path("/sys/kernel/debug/sched/preempt")  # "none voluntary (full)", Linux 5.13
COMMAND_LINE = Path("/proc/cmdline")
PREEMPTING = ("full", "lazy")
_CHOSEN = re.compile(r"\((\w+)\)")
_GIVEN = re.compile(r"(?:^|\s)preempt=(\w+)")


def preemption(scheduler: Path = SCHEDULER, command_line: Path = COMMAND_LINE, version: str = "") -> str:
    """ "none", "voluntary", "full", "lazy"; "" when it was chosen at boot and only debugfs, not mounted, would tell."""
    for path, pattern in ((scheduler, _CHOSEN), (command_line, _GIVEN)):
        try:
            if found := pattern.search(path.read_text()):
                return found[1]
        except OSError:
            continue
    words = (version or os.uname().version).split()
    if "PREEMPT_DYNAMIC" in words:
        return ""
    return "full" if "PREEMPT" in words or "PREEMPT_RT" in words else "voluntary"
