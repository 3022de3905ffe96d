"""``driftline baseline check``: would this have been a deviation?

In: a capture, a container to run, or what runs here for a while; baselines. Out: deviations as text, JSON, JUnit or
SARIF; an exit status for a build. Next: ``checkreports`` writes, the build decides.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.schema import Baseline, State
from driftline.baseline.shelf import Shelf
from driftline.cli.baselinefile import read_baseline
from driftline.cli.checkreports import Format, Judged, report
from driftline.cli.events import LIVE_SETTINGS
from driftline.cli.gate import (
    CLEAN,
    DEVIATES,
    FOREVER,
    LOST,
    Asked,
    Captured,
    GateError,
    Image,
    Rootfs,
    RunOptions,
    Seconds,
    WhichRuntime,
    Words,
    as_gate,
    captured,
    split,
)
from driftline.cli.options import with_settings
from driftline.cli.stopping import until_nobody_reads
from driftline.errors import StateError
from driftline.nouns import Deviation, Severity
from driftline.offline import Choose, run
from driftline.settings import Settings
from driftline.text import escape

UNUSED = "`driftline events --replay FILE --json` shows the images in a capture; a new build has another digest"


@with_settings(LIVE_SETTINGS)
def check(
    settings: Settings,
    baseline: Annotated[
        list[Path], typer.Option(metavar="FILE", help="A baseline: YAML, JSON or msgpack. Repeatable.")
    ],
    words: Words = None,
    image: Image = "",
    rootfs: Rootfs = None,
    runtime: WhichRuntime = None,
    run_option: RunOptions = None,
    severity: Annotated[Severity, typer.Option(help="This severity and above.")] = Severity.INFO,
    format: Annotated[Format, typer.Option("--format", help="How to print deviations.")] = Format.TEXT,
    seconds: Seconds = None,
) -> None:
    """Judge a capture, a container run for it, or what runs here now, by baselines.

    A container run for it is judged by the baseline given, whatever its image's digest: a new build has a new one.
    In a capture each container is judged by the baseline of its own image.

    Exit status: 0 nothing deviates, 1 something does, 2 it could not be judged (wrong option, no engine, the container
    failed), 3 nothing deviates, but events were lost. A capture needs no root.
    """
    asked = Asked(words or [], image, rootfs, runtime, run_option or [], seconds)
    with as_gate():
        shelf = Shelf(None, FOREVER, FOREVER, keep_ended=True)  # what has no baseline is not judged by its own doings
        given = _put(baseline, shelf)
        with captured(asked, settings) as capture:
            told = run(capture.path, settings, shelf, _chooser(capture, given))
        status = _print(told, severity, format, baseline)
        _say_unjudged(shelf, given)
        if capture.status and status != DEVIATES:
            raise GateError(f"the container ended with status {capture.status}: what it did may not be all it does")
    raise typer.Exit(status)


def _print(told: list[Deviation], severity: Severity, format: Format, files: list[Path]) -> int:
    """Write the report; return what the gate says."""
    done, lost = split(told)
    found = [one for one in done if one.severity.rank >= severity.rank]
    with suppress(SystemExit), until_nobody_reads():  # whoever reads, the status counts
        print(report(Judged(found, lost, severity, files), format), end="")
        sys.stdout.flush()
    for loss in lost:
        print(f"driftline baseline check: {escape(loss.sentence)}", file=sys.stderr)
    return DEVIATES if found else LOST if lost else CLEAN


def _chooser(capture: Captured, given: dict[str, Path]) -> Choose | None:
    if not capture.container:
        return None
    if len(given) != 1 or "+" in next(iter(given)):
        raise StateError("one container is judged by one baseline of an image", "give one --baseline")
    return capture.chooser(next(iter(given)))


def _say_unjudged(shelf: Shelf, given: dict[str, Path]) -> None:
    for missing in shelf.without_baseline():
        text = f"no baseline was given for {escape(missing)}: not judged against one"
        print(f"driftline baseline check: {text}", file=sys.stderr)
    if unused := shelf.unused():
        raise StateError(f"no container was judged by {', '.join(escape(str(given[name])) for name in unused)}", UNUSED)


def _put(paths: list[Path], shelf: Shelf) -> dict[str, Path]:
    """Put the baselines on the shelf; return which file each came from."""
    given: dict[str, Path] = {}
    for path in paths:
        one = _active(path)
        if one.name in given:
            both = f"{escape(str(given[one.name]))} and {escape(str(path))}"
            raise StateError(f"{both} are baselines of one image", "give one of them")
        given[one.name] = path
        shelf.put(one)
    return given


def _active(path: Path) -> Baseline:
    found = read_baseline(path)
    found.state = State.ACTIVE
    return found
