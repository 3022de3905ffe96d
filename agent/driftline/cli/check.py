"""``driftline check``: would this have been a deviation?

In: a capture (or the running kernel for a while) and baselines. Out: deviations, one line each; exit status 1 if there
are any, 0 if not: a gate for a build. Next: nobody.
"""

from __future__ import annotations

import json as jsonlib
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
from driftline.cli.options import with_settings
from driftline.errors import StateError
from driftline.nouns import Severity
from driftline.offline import run
from driftline.settings import Settings
from driftline.text import escape
from driftline.wire.jsontext import deviation_to_json

BASELINE_BYTES = 64 * 1024 * 1024  # as the store's bound: 100 000 behaviours take about 20 MB of YAML


@with_settings(LIVE_SETTINGS)
def command(
    settings: Settings,
    baseline: Annotated[list[Path], typer.Option(metavar="FILE", help="A YAML baseline. Repeatable.")],
    replay_file: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="A capture; needs no root.")
    ] = None,
    severity: Annotated[Severity, typer.Option(help="This severity and above.")] = Severity.INFO,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line, with all evidence.")] = False,
    seconds: Annotated[float, typer.Option(help="Without --replay: check so long; 0: until Ctrl-C.")] = 60,
) -> None:
    """Judge a capture (or, without one, what runs here now) against baselines; exit status 1 if anything deviates."""
    shelf = Shelf(None, 0, 0)
    for path in baseline:
        shelf.put(_read(path))
    with tempfile.TemporaryDirectory(prefix="driftline-check-") as directory:
        source = replay_file or record(settings, Path(directory) / "checked.cap", seconds)
        found = [one for one in run(source, settings, shelf) if one.severity.rank >= severity.rank]
    for missing in shelf.without_baseline():
        print(f"driftline check: no baseline was given for {escape(missing)}: not judged against one", file=sys.stderr)
    for deviation in found:
        text = (
            jsonlib.dumps(deviation_to_json(deviation))
            if json
            else f"{deviation.severity.value:8} {deviation.kind.value}  {escape(deviation.sentence)}"
        )
        print(text)
    raise typer.Exit(1 if found else 0)


def _read(path: Path) -> Baseline:
    try:
        if path.stat().st_size > BASELINE_BYTES:
            raise StateError(f"{path} is larger than {BASELINE_BYTES} bytes: no baseline")
        found = from_yaml(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise StateError(f"{path} is no baseline: {error}") from error
    found.state = State.ACTIVE
    return found
