"""All outputs of a collector.

In: the checked configuration, the store, the state directory. Out: a thread per output, started and stopped together;
their counters. Why the cursor lies in the state directory and not in the store: it belongs to this collector, and a
store that is restored or shared must not move it. Next: ``server`` starts it and wakes it after each commit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from driftline.errors import StateError
from driftline.text import escape
from driftline_collector.outputs import build, progress
from driftline_collector.outputs.config import Output, OutputsFile
from driftline_collector.outputs.progress import Progress, State
from driftline_collector.outputs.refusals import Refusals
from driftline_collector.outputs.runner import Runner, Source

_log = logging.getLogger(__name__)

FOLDER = "outputs"
"""Below the state directory: NAME.json with cursor and counters, NAME.refused.jsonl."""

STOP_SECONDS = 3.0
"""What all outputs together are given to end what they are sending."""


class Outputs:
    """The outputs in ``config``. Raises SettingsError or StateError if one cannot work."""

    def __init__(self, config: OutputsFile, source: Source, state: Path) -> None:
        self._folder = state / FOLDER
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
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
        kept = Progress(self._folder / f"{output.name}{progress.SUFFIX}", self._begin(output, source), source.revision)
        refusals = Refusals(self._folder / f"{output.name}.refused.jsonl")
        return Runner(output.name, source, build.wanted(output), sender, kept, refusals)

    def _begin(self, output: Output, source: Source) -> State:
        """Return where ``output`` begins: at its cursor; the first time where ``start`` says; in a new store at 0."""
        path = self._folder / f"{output.name}{progress.SUFFIX}"
        try:
            state, newest = progress.read(path), source.revision()
        except StateError as error:
            path.replace(f"{path}.damaged")
            _log.warning("output %s: %s; it begins with the oldest stored deviation", output.name, error.args[0])
            return State(store_id=source.store_id)
        if state is None:
            return State(store_id=source.store_id, revision=0 if output.start == "all" else newest)
        if state.store_id != source.store_id:
            _log.warning("output %s: the store is another one; it begins with the oldest deviation", output.name)
            return state.model_copy(update={"store_id": source.store_id, "revision": 0})
        # A restored backup is older than the cursor: what it will number anew has not been sent
        return state.model_copy(update={"revision": min(state.revision, newest)})

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

    def counters(self) -> dict[str, int]:
        """Return what each output counted, as ``outputs.NAME.COUNTER``."""
        found = {}
        for runner in self._runners:
            state = runner.progress.state
            values = {**state.counts.model_dump(), "lag": runner.progress.lag, "failing": int(bool(state.failing))}
            found.update({f"outputs.{runner.name}.{name}": value for name, value in values.items()})
        return found
