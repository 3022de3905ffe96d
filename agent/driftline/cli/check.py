"""``driftline check``: would this have been a deviation?

In: a capture (or the running kernel for a while) and baselines. Out: deviations, one line each; exit status 1 if there
are any, 0 if not: a gate for a build. Next: nobody.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.schema import Baseline, State
from driftline.baseline.shelf import Shelf
from driftline.baseline.yamltext import from_yaml
from driftline.cli.capture import record
from driftline.cli.events import LIVE_SETTINGS
from driftline.cli.learn import FOREVER
from driftline.cli.options import with_settings
from driftline.cli.stopping import until_nobody_reads
from driftline.errors import StateError
from driftline.nouns import Deviation, Severity
from driftline.offline import run
from driftline.settings import Settings
from driftline.text import escape
from driftline.wire.jsontext import deviation_to_json

BASELINE_BYTES = 64 * 1024 * 1024  # as the store's bound: 100 000 behaviours take about 20 MB of YAML

UNUSED = "`driftline events --replay FILE --json` shows the images in a capture; a new build has another digest"


@with_settings(LIVE_SETTINGS)
def command(
    settings: Settings,
    baseline: Annotated[list[Path], typer.Option(metavar="FILE", help="A YAML baseline. Repeatable.")],
    replay_file: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Judge a capture; needs no root.")
    ] = None,
    severity: Annotated[Severity, typer.Option(help="This severity and above.")] = Severity.INFO,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line, with all evidence.")] = False,
    seconds: Annotated[float, typer.Option(min=0, help="Without --replay: check so long; 0: until Ctrl-C.")] = 60,
) -> None:
    """Judge a capture (or, without one, what runs here now) against baselines; exit status 1 if anything deviates."""
    shelf = Shelf(None, FOREVER, FOREVER, keep_ended=True)  # what has no baseline is never judged by its own doings
    given = _put(baseline, shelf)
    with tempfile.TemporaryDirectory(prefix="driftline-check-") as directory:
        source = replay_file or record(settings, Path(directory) / "checked.cap", seconds)
        found = [one for one in run(source, settings, shelf) if one.severity.rank >= severity.rank]
    for missing in shelf.without_baseline():
        print(f"driftline check: no baseline was given for {escape(missing)}: not judged against one", file=sys.stderr)
    with until_nobody_reads():
        for deviation in found:
            print(deviation_to_json(deviation) if json else _line(deviation))
        sys.stdout.flush()
    if unused := shelf.unused():
        raise StateError(f"no container was judged by {', '.join(str(given[key]) for key in unused)}", UNUSED)
    raise typer.Exit(1 if found else 0)


def _line(deviation: Deviation) -> str:
    return f"{deviation.severity.value:8} {deviation.kind.value:19} {escape(deviation.sentence)}"


def _put(paths: list[Path], shelf: Shelf) -> dict[str, Path]:
    """Put the baselines on the shelf; return which file each came from."""
    given: dict[str, Path] = {}
    for path in paths:
        one = _read(path)
        if one.key in given:
            raise StateError(f"{given[one.key]} and {path} are baselines of one image", "give one of them")
        given[one.key] = path
        shelf.put(one)
    return given


def _read(path: Path) -> Baseline:
    try:
        if path.stat().st_size > BASELINE_BYTES:
            raise StateError(f"{path} is larger than {BASELINE_BYTES} bytes: no baseline")
        found = from_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise StateError(f"{path} is no baseline: {error}") from error
    found.state = State.ACTIVE
    return found
