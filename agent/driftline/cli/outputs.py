"""``driftline outputs``: check a file of outputs, see how they are doing.

In: an outputs file; a collector's state directory. Out: what is wrong with the file, whether each receiver takes a test
deviation; a line per output. Next: ``driftline_collector.outputs``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.collector import DEFAULT_STATE
from driftline.errors import DriftlineError, SettingsError
from driftline.text import escape


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML file with outputs (docs/outputs.md).")],
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Send each output a deviation that says that it is a test.")
    ] = False,
    name: Annotated[str, typer.Option(metavar="NAME", help="Only this output.")] = "",
) -> None:
    """Tell whether a file of outputs is right.

    Every file it names is read: certificates, headers, URLs. Nothing is changed and nobody is asked, unless
    --send-test is given. Ends with 1 if a receiver did not take the test.
    """
    from driftline_collector.outputs import build
    from driftline_collector.outputs.configfile import read_outputs

    outputs = read_outputs(file)
    chosen = [output for output in outputs.outputs if name in ("", output.name)]
    if not chosen:
        known = ", ".join(output.name for output in outputs.outputs)
        raise SettingsError(f"{escape(str(file))} has no output called '{escape(name)}'", f"one of {known}")
    for output in chosen:
        build.check(output)
    for warning in build.warnings(outputs):
        typer.echo(f"warning: {warning}")
    if not send_test:
        typer.echo(f"{escape(str(file))} is right: {', '.join(output.name for output in chosen)}")
        return
    results = [_send(output) for output in chosen]  # all of them, also after one that failed
    if not all(results):
        raise typer.Exit(1)


def _send(output: object) -> bool:
    """Send the test and tell how it went."""
    from driftline_collector.outputs import build
    from driftline_collector.outputs.config import Output
    from driftline_collector.outputs.sample import test_deviation
    from driftline_collector.outputs.sending import Refused, Unavailable, short

    assert isinstance(output, Output)
    sender = build.sender(output)
    try:
        taken = sender.send([test_deviation(output.name, output.severity)])
    except (Refused, Unavailable, OSError, DriftlineError) as error:
        typer.echo(f"{output.name}: not taken: {short(str(error))}")
        return False
    finally:
        sender.close()
    if taken.refused:
        typer.echo(f"{output.name}: refused: {taken.reason or 'the receiver does not say why'}")
    else:
        typer.echo(f"{output.name}: sent")
    return not taken.refused


def status(
    state: Annotated[Path, typer.Option(metavar="DIR", help="The collector's state directory.")] = DEFAULT_STATE,
    store: Annotated[str, typer.Option(metavar="URL", help="postgresql://... if the store is not in --state.")] = "",
    store_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the password for --store.")
    ] = None,
) -> None:
    """Show how far each output is, what it sent and what it could not.

    The numbers are those of the last half second, also while no collector runs. With --store they are those of
    whichever collector sends the output.
    """
    found = _kept(state, store, store_password_file)
    if not found:
        typer.echo(f"no output ever ran with the {'store' if store else f'state directory {escape(str(state))}'}")
    for name, kept in found.items():
        typer.echo(_line(name, kept))


def _kept(state: Path, store: str, password_file: Path | None) -> dict[str, dict[str, object]]:
    """Return what is kept of each output, by name."""
    from driftline_collector.outputs import progress
    from driftline_collector.outputs.manager import FOLDER
    from driftline_collector.store_address import parse_store

    if (address := parse_store(store, password_file)) is not None:
        from driftline_collector.outputs import leases

        return {name: kept.model_dump() for name, kept in leases.states(address).items()}
    paths = sorted((state / FOLDER).glob(f"*{progress.SUFFIX}"))
    read = {path.name.removesuffix(progress.SUFFIX): progress.read(path) for path in paths}
    return {name: kept.model_dump() for name, kept in read.items() if kept is not None}


def _line(name: str, kept: dict[str, object]) -> str:
    counts = kept["counts"]
    assert isinstance(counts, dict)
    numbers = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in counts.items() if value or key == "sent")
    line = f"{escape(name):20} {numbers}, {kept['lag']} behind"
    if not kept["failing"]:
        return line
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(str(kept["failing_since"]))))
    return f"{line}\n{'':20} FAILING since {since}: {escape(str(kept['failing']))}"
