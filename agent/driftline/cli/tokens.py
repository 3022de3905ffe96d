"""``driftline collector tokens``: add, list, remove.

In: a name, a role, the collector's state directory. Out: a file with a new token; a list; a token less. Why a file and
not the terminal: what was printed once is in somebody's scroll-back or a CI log. A running collector notices within a
second. Next: ``driftline_collector.tokens``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.collector import DEFAULT_STATE
from driftline.cli.secretfile import write_new
from driftline.text import escape
from driftline.wire.roles import Role

DAYS = 90
"""How long a token lives unless told otherwise: one that was forgotten somewhere ends by itself."""

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: a person or a program.")]
_State = Annotated[Path, typer.Option(metavar="DIR", help="The collector's state directory.")]


def add(
    name: _Name,
    write: Annotated[Path, typer.Option(metavar="FILE", help="New file for the token, readable by you only.")],
    role: Annotated[Role, typer.Option(help="reader, reviewer or admin.")] = Role.READER,
    days: Annotated[int, typer.Option(min=0, max=3650, help="How long it is valid; 0: until it is removed.")] = DAYS,
    state: _State = DEFAULT_STATE,
) -> None:
    """Make a bearer token for a reader.

    The token is only in the new file: the collector keeps a hash. Use it with `driftline tail --token-file FILE`.
    """
    from driftline_collector.tokens import TokenFile

    with write_new(write) as file:
        file.write(f"{TokenFile(state).add(name, role, days)}\n".encode())
    typer.echo(f"token '{name}' ({role}) is in {escape(str(write))}")


def list_tokens(state: _State = DEFAULT_STATE) -> None:
    """List the tokens, never their secrets."""
    from driftline_collector.tokens import TokenFile

    for token in sorted(TokenFile(state).read().values(), key=lambda one: one.name):
        ends = time.strftime("%Y-%m-%d", time.gmtime(token.expires)) if token.expires else "never"
        expired = "" if token.valid(time.time()) else "  EXPIRED"
        made = time.strftime("%Y-%m-%d", time.gmtime(token.created))
        typer.echo(f"{escape(token.name):24} {token.role:9} made {made}  ends {ends}{expired}")


def remove(name: _Name, state: _State = DEFAULT_STATE) -> None:
    """Remove a token; whoever uses it is cut off within a second."""
    from driftline_collector.tokens import TokenFile

    TokenFile(state).remove(name)
    typer.echo(f"token '{escape(name)}' is removed")
