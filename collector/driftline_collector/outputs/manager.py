"""All outputs of a collector.

In: the checked configuration, the store, the state directory. Out: a thread per output, started and stopped together;
their counters. Why the cursor lies in the state directory and not in a store of our own: a store that is restored must
not move it. In a shared store it is where the collector that goes on finds it. Next: ``server`` starts it and wakes it
after each commit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.errors import StateError
from driftline.text import escape
from driftline_collector.outputs import build, progress
from driftline_collector.outputs.config import Output, OutputsFile
from driftline_collector.outputs.progress import FilePlace, Place, Progress, State
from driftline_collector.outputs.refusals import Refusals
from driftline_collector.outputs.runner import Runner, Source

if TYPE_CHECKING:  # it needs psycopg, which a collector with a store of its own does not
    from driftline_collector.outputs.leases import Leases

_log = logging.getLogger(__name__)

FOLDER = "outputs"
"""Below the state directory: NAME.json with cursor and counters, NAME.refused.jsonl."""

STOP_SECONDS = 3.0
"""What all outputs together are given to end what they are sending."""


class Outputs:
    """The outputs in ``config``; several collectors on one store agree by ``leases`` who sends which. Raises
    SettingsError or StateError if one cannot work."""

    def __init__(self, config: OutputsFile, source: Source, state: Path, leases: Leases | None = None) -> None:
        self._folder = state / FOLDER
        self._leases = leases
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"{escape(str(self._folder))} cannot be made: {error.strerror}") from error
        self.warnings = build.warnings(config)
        self._runners: list[Runner] = []
        try:
            for output in config.outputs:
                self._runners.append(self._runner(output, source))
        except Exception:
            self.discard()
            raise

    def _runner(self, output: Output, source: Source) -> Runner:
        sender = build.sender(output)
        kept = Progress(self._place(output.name), partial(_begin, output, source), source.revision)
        refusals = Refusals(self._folder / f"{output.name}.refused.jsonl")
        return Runner(output.name, source, build.wanted(output), sender, kept, refusals)

    def _place(self, name: str) -> Place:
        if self._leases is not None:
            from driftline_collector.outputs.leases import LeasePlace

            return LeasePlace(self._leases, name)
        return FilePlace(self._folder / f"{name}{progress.SUFFIX}")

    def discard(self) -> None:
        """Let go of everything instead of starting."""
        for runner in self._runners:
            runner.discard()

    def start(self) -> None:
        """Start a thread per output."""
        for runner in self._runners:
            runner.start()

    def wake(self) -> None:
        """Say that something was stored. Returns at once."""
        for runner in self._runners:
            runner.wake()

    def removed(self, places: Iterable[tuple[int, int]]) -> None:
        """Count what the retention takes away, as revisions and severities, for each output that had not sent it."""
        places = list(places)
        for runner in self._runners:
            runner.removed(places)

    def reopen(self) -> None:
        """Use the files behind the names anew (SIGHUP)."""
        for runner in self._runners:
            runner.reopen()

    def stop(self) -> None:
        """Stop all, within STOP_SECONDS; what was not acknowledged is sent again at the next start."""
        for runner in self._runners:
            runner.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for runner in self._runners:
            runner.stop(max(0.0, deadline - time.monotonic()))
        if self._leases is not None:
            self._leases.close()

    def counters(self) -> dict[str, int]:
        """Return what each output counted, as ``outputs.NAME.COUNTER``; of one that another collector sends, only
        that."""
        found = {}
        for runner in self._runners:
            found[f"outputs.{runner.name}.sending"] = int(runner.progress.sending)
            if not runner.progress.sending:
                continue
            state = runner.progress.state
            values = {**state.counts.model_dump(), "lag": runner.progress.lag, "failing": int(bool(state.failing))}
            found.update({f"outputs.{runner.name}.{name}": value for name, value in values.items()})
        return found


def _begin(output: Output, source: Source, found: State | None) -> State:
    """Return where ``output`` begins: at its cursor; the first time where ``start`` says; in a new store at 0."""
    newest = source.newest()
    if found is None:
        return State(store_id=source.store_id, revision=0 if output.start == "all" else newest)
    if found.store_id != source.store_id:
        if found.store_id:
            _log.warning("output %s: the store is another one; it begins with the oldest deviation", output.name)
        return found.model_copy(update={"store_id": source.store_id, "revision": 0})
    # A restored backup is older than the cursor: what it will number anew has not been sent
    return found.model_copy(update={"revision": min(found.revision, newest)})
