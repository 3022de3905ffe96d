"""``driftline baseline learn``: baselines from a capture, or from a container run for it.

In: a capture, a container to run, or what runs here for a while. Out: one YAML baseline per image, printed or in a
directory. Next: a person reads it; ``check`` and the agent judge by it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.keeping.store import directory_name
from driftline.baseline.schema import Baseline, Standing
from driftline.baseline.shelf import Shelf
from driftline.cli.events import LIVE_SETTINGS
from driftline.cli.gate import (
    FOREVER,
    LOST,
    Asked,
    GateError,
    Image,
    Rootfs,
    RunOptions,
    Seconds,
    WhichRuntime,
    Words,
    as_gate,
    captured,
)
from driftline.cli.options import with_settings
from driftline.cli.stopping import until_nobody_reads
from driftline.errors import StateError
from driftline.nouns import CONTAINER_KEY
from driftline.offline import run
from driftline.settings import Settings
from driftline.text import escape, plural


@with_settings(LIVE_SETTINGS)
def learn(
    settings: Settings,
    words: Words = None,
    image: Image = "",
    rootfs: Rootfs = None,
    runtime: WhichRuntime = None,
    run_option: RunOptions = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="Write one file per image there.")] = None,
    seconds: Seconds = None,
) -> None:
    """Learn a baseline for every image in a capture, of a container run for it, or in what runs here now.

    Exit status: 0 learned, 2 not (wrong option, no engine, the container failed), 3 learned, but events were lost.
    A capture needs no root.
    """
    asked = Asked(words or [], image, rootfs, runtime, run_option or [], seconds)
    with as_gate(), captured(asked, settings) as capture:
        shelf = Shelf(None, FOREVER, FOREVER, keep_ended=True)
        deviations = run(capture.path, settings, shelf, capture.chooser())
        for deviation in deviations:
            _say(f"told while learning: {escape(deviation.sentence)}")
        baselines = sorted((one for one in shelf.finish_all() if one.entries), key=lambda one: one.name)
        with until_nobody_reads():
            for number, baseline in enumerate(baselines):
                _write(baseline, output, separated=number > 0)
        if capture.status:
            raise GateError(f"the container ended with status {capture.status}: what it did may not be all it does")
        if not baselines:
            _say("the capture holds nothing a container did")
    if any(baseline.losses for baseline in baselines):
        raise typer.Exit(LOST)


def _write(baseline: Baseline, output: Path | None, separated: bool) -> None:
    if baseline.key.startswith(CONTAINER_KEY):
        _say(f"{escape(baseline.key)}: image unknown, so the agent judges no other container by this baseline")
    waiting = sum(entry.standing is Standing.NEEDS_REVIEW for entry in baseline.entries.values())
    if waiting:
        what = f"{plural(waiting, 'behaviour')} need review"
        _say(f"{escape(baseline.image or baseline.key)}: {what}, and match nothing until then")
    if output is None:
        print(("---\n" if separated else "") + to_yaml(baseline), end="", flush=True)
        return
    path = output / f"{directory_name(baseline.name)}.yaml"
    try:
        output.mkdir(parents=True, exist_ok=True)
        path.write_text(to_yaml(baseline), encoding="utf-8")
    except OSError as error:
        raise StateError(f"{escape(str(path))} cannot be written: {error.strerror}") from error
    partial = f", partial: {', '.join(map(escape, baseline.reasons))}" if baseline.reasons else ""
    what = escape(baseline.image or baseline.key)
    _say(f"{escape(str(path))}: {plural(len(baseline.entries), 'behaviour')} of {what}{partial}")


def _say(text: str) -> None:
    print(f"driftline baseline learn: {text}", file=sys.stderr)
