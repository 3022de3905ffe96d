"""The ``driftline`` command.

In: the command line. Out: an exit status; a DriftlineError becomes one clear sentence on standard error, here and
nowhere else. Why a table: only the module of the command that was typed is imported, so ``tail`` starts fast and a
broken dependency of one command breaks no other. To add a command: a module with a function ``command``, and a line in
COMMANDS; a name of several words makes a command below a command. Next: the command's module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from itertools import dropwhile, takewhile
from typing import Annotated, Any, NamedTuple

import typer

from driftline import __version__
from driftline.errors import DriftlineError
from driftline.text import escape


class Command(NamedTuple):
    """A command: the module that holds its function, its line in the help, the function's name."""

    module: str
    help: str
    function: str = "command"

    def load(self) -> Callable[..., Any]:
        """Import the module and return the function."""
        function: Callable[..., Any] = getattr(import_module(self.module), self.function)
        return function


COMMANDS = {
    "agent": Command("driftline.cli.agent", "Watch every container of this node and report deviations."),
    "doctor": Command("driftline.cli.doctor", "Tell what this host offers the agent, what is missing, how to get it."),
    "events": Command("driftline.cli.events", "Print every event of every container as it happens."),
    "capture": Command("driftline.cli.capture", "Record the kernel's events of all containers into a file."),
    "baseline list": Command("driftline.cli.baseline_list", "List the baselines of this node.", "list_baselines"),
    "baseline show": Command("driftline.cli.baseline_show", "Show a baseline for review.", "show"),
    "baseline diff": Command("driftline.cli.baseline_diff", "Show what two baselines expect differently.", "diff"),
    "baseline history": Command("driftline.cli.baseline_list", "Show who decided what about a baseline.", "history"),
    "baseline approve": Command("driftline.cli.baseline_decide", "Approve behaviours: they are expected.", "approve"),
    "baseline reject": Command("driftline.cli.baseline_decide", "Reject behaviours: always told.", "reject"),
    "baseline excuse": Command("driftline.cli.baseline_decide", "Excuse a check for an image, for a while.", "excuse"),
    "baseline edit": Command("driftline.cli.baseline_edit", "Edit a baseline in an editor.", "edit"),
    "baseline promote": Command("driftline.cli.baseline_life", "Promote a baseline: a person approved it.", "promote"),
    "baseline retire": Command("driftline.cli.baseline_life", "Retire a baseline: it is not used any more.", "retire"),
    "baseline rollback": Command("driftline.cli.baseline_life", "Put an older revision in force again.", "rollback"),
    "baseline import": Command(
        "driftline.cli.baseline_import", "Put the baseline in a file in force.", "import_baseline"
    ),
    "baseline begin": Command("driftline.cli.baseline_begin", "Begin an image's baseline with a starter.", "begin"),
    "baseline export": Command("driftline.cli.baseline_export", "Write a baseline as a file.", "export"),
    "baseline learn": Command("driftline.cli.baseline_learn", "Learn from a capture or a container's run.", "learn"),
    "baseline check": Command("driftline.cli.baseline_check", "Judge a capture or a container's run.", "check"),
    "baseline keygen": Command("driftline.cli.baseline_sign", "Make a key to sign baselines with.", "keygen"),
    "baseline sign": Command("driftline.cli.baseline_sign", "Sign a baseline.", "sign"),
    "baseline verify": Command("driftline.cli.baseline_sign", "Verify who signed a baseline.", "verify"),
    "baseline fleet": Command("driftline.cli.baseline_fleet", "Show what all nodes learned, and what is published."),
    "baseline fetch": Command("driftline.cli.baseline_fetch", "Fetch what all nodes learned, merged, as a file."),
    "baseline publish": Command("driftline.cli.baseline_publish", "Put a baseline in force on every node."),
    "baseline revoke": Command("driftline.cli.baseline_revoke", "Take a version out of force everywhere, for good."),
    "sbom show": Command("driftline.cli.sbom", "Show an image's packages and the executables none owns.", "show"),
    "sbom read": Command("driftline.cli.sbom", "Read an SBOM, tell what it says and what was left out.", "read"),
    "sbom in-use": Command("driftline.cli.sbom_inuse", "Show which packages of an image ran, which did not.", "in_use"),
    "spool show": Command("driftline.cli.spool", "Show what waits on this node for the collector.", "show"),
    "spool verify": Command("driftline.cli.spool", "Read the whole spool and tell what is damaged.", "verify"),
    "tail": Command("driftline.cli.tail", "Follow deviations as they happen."),
    "silence add": Command("driftline.cli.silence", "Leave deviations out of tails and outputs for a while.", "add"),
    "silence list": Command("driftline.cli.silence", "List silences and what each hides.", "list_silences"),
    "silence end": Command("driftline.cli.silence", "End a silence before its time.", "end"),
    "agents list": Command("driftline.cli.agents", "List every agent and how it is.", "list_agents"),
    "agents forget": Command("driftline.cli.agents", "A node was retired: expect its agent no more.", "forget"),
    "collector": Command("driftline.cli.collector", "Take deviations from agents, store them, feed those who follow."),
    "outputs check": Command("driftline.cli.outputs", "Tell whether a file of outputs is right; try them.", "check"),
    "outputs status": Command("driftline.cli.outputs", "Show what each output of a collector sent.", "status"),
    "standalone": Command("driftline.cli.standalone", "Agent, collector and outputs of one machine."),
    "collector backup": Command("driftline.cli.collectorstore", "Copy the store while the collector runs.", "backup"),
    "collector restore": Command("driftline.cli.collectorstore", "Replace the store by a copy.", "restore"),
    "collector migrate": Command("driftline.cli.collectorstore", "Bring the store to this version.", "migrate"),
    "collector tokens add": Command("driftline.cli.tokens", "Make a bearer token for a reader.", "add"),
    "collector tokens list": Command("driftline.cli.tokens", "List the tokens, never their secrets.", "list_tokens"),
    "collector tokens remove": Command("driftline.cli.tokens", "Remove a token; whoever uses it is cut off.", "remove"),
    "certs init": Command("driftline.cli.certs", "Make a certificate authority for trying out.", "init"),
    "certs issue": Command("driftline.cli.certs", "Issue a certificate for an agent, person or collector.", "issue"),
}

GROUPS = {
    "baseline": "What images are expected to do: look, decide, move.",
    "certs": "Certificates for trying out mTLS.",
    "spool": "Deviations that wait on disk for the collector.",
    "silence": "Deviations you know about, hidden for a while.",
    "agents": "The agents that report to a collector.",
    "sbom": "What an image ships, and what an SBOM says.",
    "outputs": "Outputs of a collector to other systems.",
    "collector tokens": "Bearer tokens for readers without a certificate.",
}
"""Names that are no command themselves, only the beginning of some."""


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
    wanted = _wanted(arguments)
    app = _typer("Tells you when a container does what its image was never seen to do.", no_args_is_help=True)
    app.callback()(_options)
    groups = {"": app}
    for name, text in GROUPS.items():
        groups[name] = _typer(text, no_args_is_help=True)
    for name, command in COMMANDS.items():
        parent, _, last = name.rpartition(" ")
        if any(other.startswith(f"{name} ") for other in COMMANDS):  # a command, and the beginning of others
            groups[name] = _typer(command.help, invoke_without_command=True)
            groups[name].callback()(command.load() if name == wanted else _only_the_beginning)
        else:
            function = command.load() if name == wanted else _not_imported
            groups[parent].command(last, help=function.__doc__ or command.help, short_help=command.help)(function)
    for name, group in groups.items():
        if name:
            parent, _, last = name.rpartition(" ")
            groups[parent].add_typer(group, name=last, short_help=group.info.help)
    return app


def _wanted(arguments: list[str]) -> str:
    """Return the longest name in COMMANDS that ``arguments`` begin with, options of ours aside."""
    words = list(takewhile(_is_word, dropwhile(lambda argument: not _is_word(argument), arguments)))
    names = (" ".join(words[:count]) for count in range(len(words), 0, -1))
    found = next((name for name in names if name in COMMANDS), "")
    misspelt = len(words) > len(found.split()) and any(other.startswith(f"{found} ") for other in COMMANDS)
    return "" if misspelt else found  # `collector tokns` must not start a collector


def _is_word(argument: str) -> bool:
    return not argument.startswith("-")


def _typer(text: str, **options: Any) -> typer.Typer:
    return typer.Typer(
        help=text,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


def _only_the_beginning() -> None:
    """What a command does that is typed only as the beginning of another: nothing."""


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
