"""``driftline silence``: add, list, end.

In: matchers, a reason, an author, an expiry. Out: a silence at the collector: tails and outputs leave out what it
matches, the store keeps it. Next: the collector's ``silences``.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from driftline.cli.authors import author_or_default
from driftline.cli.reaching import Reaching, with_collector
from driftline.cli.render import grouped
from driftline.cli.silencetext import local_minute, silence_line, who
from driftline.cli.tail import moment
from driftline.errors import SettingsError
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.matchers import FIELDS, parse_matcher

_Author = Annotated[str, typer.Option(help="Who you are. Default: your login name.")]


@with_collector
def add(
    reaching: Reaching,
    matcher: Annotated[
        list[str],
        typer.Option(
            "--matcher",
            "-m",
            metavar="FIELD=TEXT",
            help=f"Also FIELD~PART, != and !~. Repeatable: all must hold. Fields: {', '.join(FIELDS)}.",
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why it need not be told; shown to everybody who follows.")],
    expires: Annotated[str, typer.Option(metavar="WHEN", help="In 90s, 30m, 2h, 7d, or at 2026-11-23T14:00.")],
    author: _Author = "",
) -> None:
    """Leave deviations out of tails and outputs for a while.

    They are stored all the same: `driftline tail --silenced` shows them. Needs the role reviewer.
    """
    now = time.time_ns()
    silence = pb.Silence(
        matchers=map(parse_matcher, matcher),
        reason=escape(reason),
        author=escape(author_or_default(author)),
        expires_wall_ns=_expiry(expires, now),
    )
    with reaching.client() as client:
        made = client.add_silence(silence)
    typer.echo(f"silence {made.id} by {who(made)} is in force until {local_minute(made.expires_wall_ns)}")


@with_collector
def list_silences(
    reaching: Reaching,
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended, too.")] = False,
) -> None:
    """List silences and what each hides."""
    with reaching.client() as client:
        found = client.list_silences(ended).silences
    now = time.time_ns()
    for silence in found:
        typer.echo(silence_line(silence) if silence.expires_wall_ns > now else _ended(silence))
    if not found:
        typer.echo("no silence is in force")


@with_collector
def end(
    reaching: Reaching,
    silence: Annotated[str, typer.Argument(metavar="ID", help="Its id, as listed.")],
    author: _Author = "",
) -> None:
    """End a silence before its time. Needs the role reviewer.

    What it hid from outputs is not sent later; it is in the store.
    """
    with reaching.client() as client:
        ended = client.end_silence(pb.EndSilenceRequest(id=silence, author=escape(author_or_default(author))))
    typer.echo(f"silence {ended.id} has ended; it hid {grouped(ended.hidden)} deviations")


def _ended(silence: pb.Silence) -> str:
    by = f" by {escape(silence.ended_by)}" if silence.ended_by else ""
    line = silence_line(silence).replace("; until ", "; ended ", 1)
    return f"{line[:-1]}{by})"


def _expiry(text: str, now_ns: int) -> int:
    """Return the Unix time in nanoseconds at which a silence made now ends. Raises SettingsError."""
    at = moment(text, now_ns)
    if text[-1:].isalpha():  # an age, counted from now on
        at = 2 * now_ns - at
    if at <= now_ns:
        raise SettingsError(f"'{escape(text)}' is in the past", "write 30m, 2h, 7d or a time to come")
    return at
