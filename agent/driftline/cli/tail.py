"""``driftline tail``: deviations as they happen.

In: filters. Out: one line per deviation on standard output, flushed at once; what concerns the connection goes to
standard error. Why it never gives up while following: the collector may be restarted, and the cursor of the last
response lets the tail go on without a gap. Next: ``render`` makes the lines.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.color import ColorSystem
from rich.console import Console
from rich.text import Text

from driftline.cli import render
from driftline.cli.main import printable
from driftline.cli.reaching import Reaching, with_collector
from driftline.cli.silencetext import silence_line
from driftline.errors import CollectorError, RecordError, SettingsError
from driftline.nouns import Deviation, Kind, Severity
from driftline.text import escape
from driftline.wire.backoff import Backoff
from driftline.wire.client import CollectorClient
from driftline.wire.convert import SEVERITY_TO_WIRE, deviation_from_wire
from driftline.wire.credentials import Link
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.jsontext import deviation_to_json

REMEMBERED = 10_000
"""Deviations whose count is remembered, to show a repeat as such; a forgotten one is shown in full again."""

LONGEST_WAIT = 2.0
"""Seconds between attempts to reach the collector again: somebody is watching."""

INTERRUPTED = 130  # exit status of a program ended by Ctrl-C, as shells count it

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@with_collector
def command(
    reaching: Reaching,
    severity: Annotated[Severity, typer.Option(help="This severity and above.")] = Severity.INFO,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Kind, or its beginning (exec, file.write). Repeatable.")
    ] = None,
    node: Annotated[str, typer.Option(help="Node name.")] = "",
    namespace: Annotated[str, typer.Option(help="Kubernetes namespace.")] = "",
    container: Annotated[str, typer.Option(help="Container or pod name, or beginning of the container's id.")] = "",
    image: Annotated[str, typer.Option(help="Part of the image's reference or digest.")] = "",
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="Begin with stored ones since: 90s, 30m, 1h, 7d or 2026-11-23T14:00.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line, with all evidence.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Process tree, file, digest, notes.")] = False,
    silenced: Annotated[bool, typer.Option("--silenced", help="Show what silences hide, too.")] = False,
    follow: Annotated[bool, typer.Option(help="Wait for new ones. Without: end after the stored ones.")] = True,
) -> None:
    """Follow deviations as they happen.

    With --no-follow and no --since, all stored deviations are shown. Colours: only on a terminal, and not if NO_COLOR
    is set.
    """
    link = reaching.link()
    wanted = pb.DeviationFilter(
        minimum_severity=SEVERITY_TO_WIRE[severity],
        kinds=map(known_kind, kind or ()),
        node=escape(node),
        namespace=escape(namespace),
        container=escape(container),
        image=escape(image),
        since_wall_ns=moment(since, time.time_ns()) if since else 0,
    )
    request = pb.TailRequest(filter=wanted, replay=bool(since) or not follow, follow=follow, silenced=silenced)
    if follow:  # a KeyboardInterrupt raised inside one of gRPC's callbacks would vanish there, and the tail go on
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        watch(link, request, Printer(json, verbose))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # whoever read our lines has gone; nor can Python flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None


def known_kind(text: str) -> str:
    """Return ``text`` if it is a kind or the beginning of one. Raises SettingsError otherwise."""
    if not any(kind == text or kind.startswith(f"{text}.") for kind in Kind):
        raise SettingsError(f"no kind of deviation is called '{escape(text)}'", f"one of {', '.join(Kind)}")
    return text


def moment(text: str, now_ns: int) -> int:
    """Return the Unix time in nanoseconds that ``text`` means: an age such as "1h", or an ISO 8601 time.

    A time without zone is local. Raises SettingsError for anything else.
    """
    if match := re.fullmatch(r"([0-9]{1,9})([smhdw])", text):
        return max(0, now_ns - int(match[1]) * _UNITS[match[2]] * 1_000_000_000)
    try:
        return max(0, int(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000)
    except (ValueError, OverflowError, OSError):
        raise SettingsError(f"'{escape(text)}' is no time", "write 90s, 30m, 1h, 7d or 2026-11-23T14:00") from None


def watch(target: str | Link, request: pb.TailRequest, printer: Printer) -> None:
    """Print what ``request`` asks for. Following, it outlives every interruption; else raises CollectorError once every
    address of ``target`` has failed."""
    link = Link(target) if isinstance(target, str) else target
    backoff, lost, started, left = Backoff(longest=LONGEST_WAIT), False, time.time_ns(), link.choices
    gc.freeze()  # what was imported stays: looking through it for garbage would hold up a line by 20 ms
    while True:
        client, ended = CollectorClient(link), False
        try:
            for response in client.tail(request):
                if lost:
                    _say(f"collector {client.target} {'is back' if link.choices == 1 else 'answers'}")
                lost = False
                backoff.reset()
                printer.show(response)
                request.resume.CopyFrom(response.cursor)
            ended = True
        except CollectorError as error:
            left -= 1
            if not (request.follow or left):
                raise
            if not lost:
                _say(f"{error.args[0]}; trying again")
            lost = True
            link.advance()
        finally:
            client.close()
        if ended and not request.follow:
            printer.finish()
            return
        _from_here(request, started)
        time.sleep(backoff.next())


def _from_here(request: pb.TailRequest, started: int) -> None:
    """Let a tail that was never answered begin when its user typed it, not when the collector came up."""
    if not request.replay:
        request.replay = True
        request.filter.since_wall_ns = started


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown of a deviation: its count, and whether its digest was known by then."""

    count: int
    digest: bool


NOT_SHOWN = Shown(0, False)


def _says_more(deviation: Deviation, before: Shown) -> bool:
    return deviation.count > before.count or bool(deviation.sha256 and not before.digest)


class Printer:
    """Writes responses to standard output as lines: text, with ``verbose`` more of it, or JSON."""

    def __init__(self, json: bool, verbose: bool) -> None:
        self._json = json
        self._verbose = verbose
        self._shown: OrderedDict[tuple[str, str], Shown] = OrderedDict()
        self._console = Console(file=sys.stdout)
        self._silenced = 0

    def finish(self) -> None:
        """Say what was not shown."""
        if self._silenced:
            _say(f"not shown because silenced: {self._silenced} (--silenced shows them)")

    def show(self, response: pb.TailResponse) -> None:
        """Print one response with one write, so that a burst is not slowed by many."""
        self._silenced += response.silenced
        if response.HasField("silences"):
            for silence in response.silences.silences:
                _say(silence_line(silence))
        if response.missed:
            _say(f"{response.missed} deviations missed: this reader is too slow; see them with --since and --no-follow")
        new = [(deviation, before) for deviation, before in self._read(response) if _says_more(deviation, before)]
        if self._json:
            sys.stdout.write("".join(f"{deviation_to_json(deviation)}\n" for deviation, _ in new))
        elif lines := list(self._lines(new)):
            sys.stdout.write(self._styled(Text("\n").join(lines)))
        sys.stdout.flush()

    def _styled(self, text: Text) -> str:
        """Return ``text`` with its colours, if the terminal has any.

        Not by Console.print: laying out takes it a millisecond, and it would hide a broken pipe from us.
        """
        if self._console.color_system is None or self._console.no_color:
            return f"{text.plain}\n"
        segments = text.render(self._console, end="\n")
        return "".join(
            segment.style.render(segment.text, color_system=ColorSystem.STANDARD) if segment.style else segment.text
            for segment in segments
        )

    def _read(self, response: pb.TailResponse) -> Iterable[tuple[Deviation, Shown]]:
        """Yield each deviation with what was last shown of it."""
        for stored in response.deviations:
            try:
                deviation = deviation_from_wire(stored.deviation)
            except RecordError as error:
                _say(str(error.args[0]))
                continue
            key = deviation.node, deviation.id
            before = self._shown.pop(key, NOT_SHOWN)
            self._shown[key] = Shown(max(before.count, deviation.count), before.digest or bool(deviation.sha256))
            if len(self._shown) > REMEMBERED:
                self._shown.popitem(last=False)
            yield deviation, before

    def _lines(self, new: Iterable[tuple[Deviation, Shown]]) -> Iterable[Text]:
        now = datetime.now()
        for deviation, before in new:
            if before.count:
                if (over := render.resolved(deviation, now)) is not None:
                    yield over
                elif deviation.count > before.count:
                    yield render.update(deviation, deviation.count - before.count, now)
                if self._verbose and deviation.sha256 and not before.digest:
                    yield render.digest(deviation, now)
                continue
            yield render.line(deviation, now)
            if self._verbose:
                yield render.details(deviation)


def _say(sentence: str) -> None:
    print(f"driftline: {printable(sentence)}", file=sys.stderr, flush=True)
