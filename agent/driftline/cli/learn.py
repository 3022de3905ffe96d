"""``driftline learn``: a baseline from a capture.

In: a capture, or the running kernel for a while. Out: one YAML baseline per image, printed or in a directory.
Next: a person reads it; ``check`` and the agent judge by it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.schema import Baseline
from driftline.baseline.shelf import Shelf
from driftline.baseline.store import directory_name
from driftline.baseline.yamltext import to_yaml
from driftline.cli.capture import record
from driftline.cli.events import LIVE_SETTINGS
from driftline.cli.options import with_settings
from driftline.errors import StateError
from driftline.offline import run
from driftline.settings import Settings
from driftline.text import escape

FOREVER = float(10**9)  # seconds: the capture's end ends the learning, nothing before


@with_settings(LIVE_SETTINGS)
def command(
    settings: Settings,
    replay_file: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="A capture; needs no root.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="Write one file per image there.")] = None,
    seconds: Annotated[float, typer.Option(help="Without --replay: learn so long; 0: until Ctrl-C.")] = 60,
) -> None:
    """Learn a baseline for every image in a capture (or, without one, in what runs here now)."""
    with tempfile.TemporaryDirectory(prefix="driftline-learn-") as directory:
        source = replay_file or record(settings, Path(directory) / "learned.cap", seconds)
        shelf = Shelf(None, FOREVER, FOREVER)
        deviations = run(source, settings, shelf)
    for deviation in deviations:
        print(f"driftline learn: not learned: {escape(deviation.sentence)}", file=sys.stderr)
    baselines = shelf.finish_all()
    for baseline in baselines:
        _write(baseline, output)
    if not baselines:
        print("driftline learn: the capture holds no container's events", file=sys.stderr)


def _write(baseline: Baseline, output: Path | None) -> None:
    if output is None:
        print(to_yaml(baseline))
        return
    path = output / f"{directory_name(baseline.key)}.yaml"
    try:
        output.mkdir(parents=True, exist_ok=True)
        path.write_text(to_yaml(baseline))
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}") from error
    print(f"driftline learn: {path}: {len(baseline.entries)} behaviours", file=sys.stderr)
