"""``driftline capture FILE``: kernel bytes into a file, to be replayed without root.

In: the running kernel. Out: a capture with the names of its containers. Next: ``events``, and ``driftline baseline
learn`` and ``check``.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from driftline.cli.events import LIVE_SETTINGS
from driftline.cli.options import with_settings
from driftline.cli.stopping import stop_on_signals
from driftline.errors import StateError
from driftline.nouns import Loss, Subject
from driftline.probe.capture import CaptureWriter
from driftline.settings import Settings
from driftline.source import clock_record, loss_record, subject_record

if TYPE_CHECKING:
    from driftline.live import Live  # libbpf is loaded only by who records


def _ignore(_subject: Subject) -> None:
    """Whoever only records wants no names."""


@with_settings(LIVE_SETTINGS)
def command(
    settings: Settings,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write.")],
    seconds: Annotated[float, typer.Option(min=0, help="Stop after so long; 0: at Ctrl-C.")] = 0,
) -> None:
    """Record the kernel's events of all containers into a file."""
    record(settings, file, stop_on_signals(seconds))


def record(settings: Settings, file: Path, until: Callable[[], bool], see: Callable[[Subject], None] = _ignore) -> Path:
    """Record until ``until`` says so, first asked when everything is seen; ``see`` is told of each container named.

    Raises StateError when the file cannot be written.
    """
    from driftline.live import Live

    try:
        with Live(settings) as live:
            print(f"driftline: recording, opens by {live.provider} ({live.reason})", file=sys.stderr, flush=True)
            for sentence in live.shortcomings():
                print(f"driftline: {sentence}", file=sys.stderr, flush=True)
            count, losses = _write(live, CaptureWriter(file), until, see)
    except OSError as error:
        raise StateError(f"{file} cannot be written: {error.strerror}", "another directory, or more space") from error
    lost = sum(loss.count for loss in losses)
    print(f"driftline: {count} records, {lost} lost", file=sys.stderr)
    return file


def _write(
    live: Live, writer: CaptureWriter, until: Callable[[], bool], see: Callable[[Subject], None]
) -> tuple[int, list[Loss]]:
    count = 0
    with contextlib.closing(writer):
        writer.write([clock_record(time.monotonic_ns(), time.time_ns())])
        for records, named in live.batches(until):
            writer.write([*records, *(subject_record(subject, time.monotonic_ns()) for subject in named)])
            count += len(records)
            for subject in named:
                see(subject)
        losses = live.losses()
        writer.write([loss_record(loss, time.monotonic_ns()) for loss in losses])
    return count, losses
