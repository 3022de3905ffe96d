"""``driftline events``: what every container does, before any baseline.

In: the running kernel, or a capture. Out: one line per event. Next: nobody; it is for eyes and jq.
"""

from __future__ import annotations

import json as jsonlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.eventtext import as_json, line, names_of
from driftline.cli.options import with_settings
from driftline.cli.stopping import stop_on_signals, until_nobody_reads
from driftline.decode.record import decode
from driftline.nouns import Loss, Subject
from driftline.settings import Settings
from driftline.source import read_notes, replay

NS = 1_000_000_000
LIVE_SETTINGS = (
    "state_dir",
    "watched_roots",
    "open_provider",
    "ring_bytes",
    "open_rate",
    "exec_rate",
    "containerd_socket",
    "docker_socket",
    "podman_root",
    "crio_socket",
)


@with_settings(LIVE_SETTINGS)
def command(
    settings: Settings,
    container: Annotated[
        str,
        typer.Option(
            help="Only containers whose name, pod or id begins so. Their first events come before their name."
        ),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    replay_file: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Show a capture instead; needs no root.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Stop after so long; 0: at Ctrl-C.")] = 0,
) -> None:
    """Print every event of every container as it happens, before any baseline."""
    printer = Printer(container, json)
    with until_nobody_reads():
        losses = _replayed(replay_file, printer) if replay_file else _live(settings, seconds, printer)
    for loss in losses:
        print(f"driftline events: lost {loss.hook} {loss.cause}: {loss.count}", file=sys.stderr)


def _live(settings: Settings, seconds: float, printer: Printer) -> list[Loss]:
    from driftline.live import Live

    with Live(settings) as live:
        print(f"driftline events: watching, opens by {live.provider} ({live.reason})", file=sys.stderr, flush=True)
        for sentence in live.shortcomings():
            print(f"driftline events: {sentence}", file=sys.stderr, flush=True)
        for records, _named in live.batches(stop_on_signals(seconds)):
            printer.show(records, live.subjects.get, time.time_ns() - time.monotonic_ns())
        return live.losses()


def _replayed(path: Path, printer: Printer) -> list[Loss]:
    notes = read_notes(path)
    for records in replay(path):
        printer.show(records, notes.subjects.get, notes.wall_offset_ns)
    return notes.losses


class Printer:
    """Prints events that pass the filter."""

    def __init__(self, container: str, json: bool) -> None:
        self._container, self._json = container, json

    def show(self, records: Iterable[bytes], subject_of: Callable[[int], Subject | None], wall_offset: int) -> None:
        """Print a batch in the order of time, for the rings are read one after the other; its lines appear at once.

        ``wall_offset``: Unix time minus kernel time, ns.
        """
        for text in self._lines(records, subject_of, wall_offset):
            print(text)
        sys.stdout.flush()

    def _lines(
        self, records: Iterable[bytes], subject_of: Callable[[int], Subject | None], wall_offset: int
    ) -> Iterator[str]:
        for event in sorted(map(decode, records), key=lambda event: event.kernel_ns):
            subject = subject_of(event.cgroup)
            if not any(name.startswith(self._container) for name in names_of(subject, event.cgroup)):
                continue
            wall = event.kernel_ns + wall_offset
            if self._json:
                yield jsonlib.dumps(as_json(event, subject, wall))
            else:
                moment = time.strftime("%H:%M:%S", time.localtime(wall // NS))
                yield f"{moment}.{wall // 1_000_000 % 1000:03d} {line(event, subject)}"
