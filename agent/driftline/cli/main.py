"""The ``driftline`` command.

In: the command line. Out: an exit status; a DriftlineError becomes one clear sentence on standard error, here and
nowhere else. Why a table: only the module of the command that was typed is imported, so ``tail`` starts fast and a
broken dependency of one command breaks no other. To add a command: a module with a function ``command``, and a line in
COMMANDS. Next: the command's module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer

from driftline import __version__
from driftline.errors import DriftlineError
from driftline.text import escape


class Command(NamedTuple):
    """A command: the module that holds its function ``command``, and its line in the help."""

    module: str
    help: str


COMMANDS = {
    "agent": Command("driftline.cli.agent", "Watch every container of this node and report deviations."),
    "doctor": Command("driftline.cli.doctor", "Tell what this host offers the agent, what is missing, how to get it."),
    "events": Command("driftline.cli.events", "Print every event of every container as it happens."),
    "capture": Command("driftline.cli.capture", "Record the kernel's events of all containers into a file."),
    "learn": Command("driftline.cli.learn", "Learn a baseline from a capture."),
    "check": Command("driftline.cli.check", "Judge a capture against a baseline."),
    "tail": Command("driftline.cli.tail", "Follow deviations as they happen."),
    "collector": Command("driftline.cli.collector", "Take deviations from agents, store them, feed those who follow."),
}


def run(arguments: list[str]) -> int:
    """Run the command in ``arguments`` and return its exit status."""
    try:
        build(arguments)(arguments, prog_name="driftline")
    except DriftlineError as error:
        complain(error)
        return error.exit_status
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def complain(error: DriftlineError) -> None:
    """Print ``error`` and what to try on standard error."""
    print(f"driftline: error: {printable(str(error.args[0]))}", file=sys.stderr)
    if error.hint:
        print(f"  try: {printable(error.hint)}", file=sys.stderr)


def printable(text: str) -> str:
    """Return ``text`` escaped unless it is printable as it is: most writers of messages have escaped already."""
    return "\n".join(line if line.isprintable() else escape(line) for line in text.split("\n"))


def build(arguments: list[str]) -> Callable[..., Any]:
    """Return the application with every command's name, but only the command in ``arguments`` imported."""
    wanted = next((argument for argument in arguments if not argument.startswith("-")), "")
    app = typer.Typer(
        help="Tells you when a container does what its image was never seen to do.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name, command in COMMANDS.items():
        function = import_module(command.module).command if name == wanted else _not_imported
        app.command(name, help=function.__doc__ or command.help, short_help=command.help)(function)
    return app


def _not_imported() -> None:
    raise AssertionError("a command that was not asked for was run")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"driftline {__version__}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""
