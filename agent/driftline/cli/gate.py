"""What ``driftline baseline learn`` and ``check`` share: where events come from, and exit statuses for a build.

In: a capture, a container to run, or nothing (what runs here now). Out: a capture, and which containers of it count.
Next: the two commands.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from driftline.cli.capture import record
from driftline.cli.containerrun import Contained
from driftline.cli.enginecommands import Engine, Runtime, engine
from driftline.cli.rootfsrun import Runc
from driftline.cli.stopping import stop_on_signals
from driftline.errors import DriftlineError, SettingsError
from driftline.nouns import Deviation, Kind, Subject
from driftline.offline import Choose
from driftline.settings import Settings

CLEAN, DEVIATES, FAILED, LOST = 0, 1, 2, 3
"""Exit statuses: nothing deviates; something does; it could not be judged; events were lost."""
LIVE_SECONDS = 60.0
"""How long what runs here now is looked at, unless told otherwise."""
FOREVER = float(10**9)  # seconds: the capture's end ends the learning, nothing before

_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="CAPTURE | -- COMMAND", help="A capture; or what to run in the container."),
]
Image = Annotated[str, typer.Option(metavar="REFERENCE", help="Run a container of this image, and only look at it.")]
Rootfs = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Run runc on this unpacked image; --image then only names it.")
]
WhichRuntime = Annotated[
    Runtime | None, typer.Option("--runtime", help="Engine for --image. Default: the first of these that answers.")
]
RunOptions = Annotated[
    list[str] | None,
    typer.Option("--run-option", metavar="WORD", help="Handed to the engine's run, as --run-option=--env=A=1."),
]
Seconds = Annotated[
    float | None,
    typer.Option(min=0, help="End the container after so long, or what runs here; 0: never. Default: 0, or 60."),
]


class GateError(DriftlineError):
    """What was asked for could not be judged: neither clean nor deviating."""

    exit_status = FAILED


class Asked(NamedTuple):
    """What the options ask for."""

    words: list[str]
    image: str
    rootfs: Path | None
    runtime: Runtime | None
    options: list[str]
    seconds: float | None


class Captured(NamedTuple):
    """A capture, and the one container in it that counts; none: all of them."""

    path: Path
    container: str = ""
    image: str = ""  # as the user calls it
    status: int = 0  # the container's own

    def chooser(self, key: str = "") -> Choose | None:
        """Whom the capture's containers are taken for; with ``key``, of that image."""
        return self._choose(key) if self.container else None

    def _choose(self, key: str) -> Choose:
        def choose(subject: Subject) -> Subject | None:
            if subject.container_id != self.container:
                return None
            named = _DIGEST.search(self.image)
            digest = key or subject.image_digest or (named[1] if named else "")
            workload = "" if key else subject.workload
            return replace(subject, image=subject.image or self.image, image_digest=digest, workload=workload)

        return choose


@contextmanager
def as_gate() -> Iterator[None]:
    """Every error of ours ends with FAILED: other numbers mean something to a gate."""
    try:
        yield
    except DriftlineError as error:
        raise GateError(str(error.args[0]), error.hint) from error


@contextmanager
def captured(asked: Asked, settings: Settings) -> Iterator[Captured]:
    """The capture the options ask for; one made for it is removed afterwards. Raises DriftlineError."""
    runs = bool(asked.image or asked.rootfs)
    if not runs and (asked.runtime or asked.options):
        raise SettingsError("--runtime and --run-option are about a container to run", "--image REFERENCE")
    if not runs and len(asked.words) > 1:
        raise SettingsError("give one capture, or say what to run the command in", "--image REFERENCE -- COMMAND")
    if not runs and asked.words:
        yield Captured(Path(asked.words[0]))
        return
    with tempfile.TemporaryDirectory(prefix="driftline-") as directory:
        target = Path(directory) / "events.cap"
        if runs:
            yield _run(asked, settings, target)
        else:
            seconds = LIVE_SECONDS if asked.seconds is None else asked.seconds
            yield Captured(record(settings, target, stop_on_signals(seconds)))


def _run(asked: Asked, settings: Settings, target: Path) -> Captured:
    with Contained(_engine(asked, settings, target.parent), asked.words, asked.seconds or 0.0) as contained:
        record(settings, target, contained.over, contained.see)
        return Captured(target, contained.identifier(), asked.image, contained.status)


def _engine(asked: Asked, settings: Settings, directory: Path) -> Engine:
    if asked.rootfs is None:
        return engine(asked.runtime, asked.image, asked.options, directory, settings)
    if asked.runtime or asked.options:
        raise SettingsError("--runtime and --run-option are of engines; --rootfs runs runc")
    return Runc(asked.rootfs, directory)


def split(deviations: list[Deviation]) -> tuple[list[Deviation], list[Deviation]]:
    """What containers did, and what was lost."""
    lost = [one for one in deviations if one.kind is Kind.COVERAGE_GAP]
    return [one for one in deviations if one.kind is not Kind.COVERAGE_GAP], lost
