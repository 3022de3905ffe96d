"""Scripts: which open is an interpreter taking the script its arguments named.

In: execs and opens, in kernel order. Out: for an open, the ``Run`` it belongs to. An interpreter opens its script by
the name it was given; the last component is compared, for the kernel tells the path with links of directories resolved.
Why remembered by program image: an exec the kernel knows already runs under the id of the one that was told. Next:
``judge_script``.
"""

from __future__ import annotations

from collections import OrderedDict

from driftline.baseline.applet import invoked_name
from driftline.baseline.patterns.paths import is_temporary
from driftline.nouns import Access, ExecEvent, OpenEvent, RecordFlag
from driftline.verdict.checks.execs import call_of
from driftline.verdict.checks.interpreters import is_interpreter
from driftline.verdict.judge_script import Run
from driftline.verdict.outcome import Verdict

MAX_RUNS = 512
"""Interpreters remembered, about 300 bytes each. The least recently used goes first, counted: most ended long ago."""

_SCRIPT, _IS_INIT = int(RecordFlag.SCRIPT), int(RecordFlag.IS_INIT)
_ENTERED = int(RecordFlag.ENTERED)
_READ = int(Access.READ)


class Scripts:
    """Belongs to the pipeline's thread."""

    def __init__(self) -> None:
        self.runs: OrderedDict[int, Run] = OrderedDict()  # by the id of the program image
        self.evictions = 0

    def start(self, event: ExecEvent, verdict: Verdict) -> None:
        """Take an exec and its verdict: an interpreter may open its script from now on."""
        exec_id, path = event.process.exec_id, event.file.path
        if not exec_id or not (event.flags & _SCRIPT or _interprets(event)):
            return
        scripts = call_of(event, invoked_name(event)).scripts
        if not scripts:
            return
        init = bool(event.flags & _IS_INIT)
        told = verdict.kind is not None and is_temporary(scripts[0])
        run = Run(scripts, path, event.by_path, bool(event.flags & _ENTERED), init and not event.by_path, init, told)
        self.runs[exec_id] = run
        if len(self.runs) > MAX_RUNS:
            self.runs.popitem(last=False)
            self.evictions += 1

    def run_of(self, event: OpenEvent) -> Run | None:
        """Return the run ``event`` is the beginning of, None if it is any other open."""
        run = self.runs.get(event.process.exec_id)
        if run is None or not event.access & _READ:
            return None
        path = event.file.path
        name = path[path.rfind("/") + 1 :]
        if not any(one == path or one.endswith(f"/{name}") for one in run.scripts):
            return None
        self.runs.move_to_end(event.process.exec_id)
        return run


def _interprets(event: ExecEvent) -> bool:
    path = event.file.path
    return is_interpreter(path[path.rfind("/") + 1 :]) or is_interpreter(invoked_name(event))
