"""``driftline capture FILE``: kernel bytes into a file, to be replayed without root.

In: the running kernel. Out: a capture with the names of its containers. Next: ``events``, ``learn``, ``check`` with
``--replay``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.events import LIVE_SETTINGS
from driftline.cli.options import with_settings
from driftline.cli.stopping import stop_on_signals
from driftline.errors import StateError
from driftline.probe.capture import CaptureWriter
from driftline.settings import Settings
from driftline.source import subject_record


@with_settings(LIVE_SETTINGS)
def command(
    settings: Settings,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write.")],
    seconds: Annotated[float, typer.Option(help="Stop after so long; 0: at Ctrl-C.")] = 0,
) -> None:
    """Record the kernel's events of all containers into a file."""
    record(settings, file, seconds)


def record(settings: Settings, file: Path, seconds: float) -> Path:
    """Record for ``seconds`` (0: until told to stop). Raises StateError when the file cannot be written."""
    from driftline.live import Live

    try:
        writer = CaptureWriter(file)
        count = 0
        with Live(settings) as live:
            print(f"driftline: recording, opens by {live.provider} ({live.reason})", file=sys.stderr, flush=True)
            for records, named in live.batches(stop_on_signals(seconds)):
                writer.write([*records, *(subject_record(subject, time.monotonic_ns()) for subject in named)])
                count += len(records)
        writer.close()
    except OSError as error:
        raise StateError(f"{file} cannot be written: {error.strerror}", "another directory, or more space") from error
    print(f"driftline: {count} records", file=sys.stderr)
    return file
