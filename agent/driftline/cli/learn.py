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
from driftline.cli.stopping import until_nobody_reads
from driftline.errors import StateError
from driftline.nouns import CONTAINER_KEY
from driftline.offline import run
from driftline.settings import Settings
from driftline.text import escape

FOREVER = float(10**9)  # seconds: the capture's end ends the learning, nothing before


@with_settings(LIVE_SETTINGS)
def command(
    settings: Settings,
    replay_file: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Learn from a capture; needs no root.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="Write one file per image there.")] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Without --replay: learn so long; 0: until Ctrl-C.")] = 60,
) -> None:
    """Learn a baseline for every image in a capture (or, without one, in what runs here now)."""
    with tempfile.TemporaryDirectory(prefix="driftline-learn-") as directory:
        source = replay_file or record(settings, Path(directory) / "learned.cap", seconds)
        shelf = Shelf(None, FOREVER, FOREVER, keep_ended=True)
        deviations = run(source, settings, shelf)
    for deviation in deviations:
        print(f"driftline learn: told while learning: {escape(deviation.sentence)}", file=sys.stderr)
    baselines = sorted((one for one in shelf.finish_all() if one.entries), key=lambda one: one.key)
    with until_nobody_reads():
        for number, baseline in enumerate(baselines):
            _write(baseline, output, separated=number > 0)
    if not baselines:
        print("driftline learn: the capture holds nothing a container did", file=sys.stderr)


def _write(baseline: Baseline, output: Path | None, separated: bool) -> None:
    if baseline.key.startswith(CONTAINER_KEY):
        print(
            f"driftline learn: {escape(baseline.key)}: image unknown, so this baseline fits no other container",
            file=sys.stderr,
        )
    if output is None:
        print(("---\n" if separated else "") + to_yaml(baseline), end="", flush=True)
        return
    path = output / f"{directory_name(baseline.key)}.yaml"
    try:
        output.mkdir(parents=True, exist_ok=True)
        path.write_text(to_yaml(baseline), encoding="utf-8")
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}") from error
    partial = f", partial: {', '.join(baseline.reasons)}" if baseline.reasons else ""
    what = escape(baseline.image or baseline.key)
    print(f"driftline learn: {path}: {len(baseline.entries)} behaviours of {what}{partial}", file=sys.stderr)
