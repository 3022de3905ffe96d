"""``driftline events``: what every container does, before any baseline.

In: the running kernel, or a capture. Out: one line per event. Next: nobody; it is for eyes and jq.
"""

from __future__ import annotations

import json as jsonlib
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.eventtext import as_json, line, name_of
from driftline.cli.options import with_settings
from driftline.cli.stopping import stop_on_signals
from driftline.decode.record import decode
from driftline.nouns import Subject
from driftline.settings import Settings
from driftline.source import is_subject, read_subject, replay

LIVE_SETTINGS = (
    "state_dir",
    "watched_roots",
    "open_provider",
    "ring_bytes",
    "open_rate",
    "exec_rate",
    "containerd_socket",
    "docker_socket",
    "podman_root",
    "crio_socket",
)


@with_settings(LIVE_SETTINGS)
def command(
    settings: Settings,
    container: Annotated[str, typer.Option(help="Only containers whose name or id begins so.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    replay_file: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="A capture; needs no root.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Stop after so long; 0: at Ctrl-C.")] = 0,
) -> None:
    """Print every event of every container as it happens, before any baseline."""
    printer = Printer(container, json)
    if replay_file:
        printer.show(_from_capture(replay_file))
        return
    from driftline.live import Live

    with Live(settings) as live:
        print(f"driftline events: watching, opens by {live.provider} ({live.reason})", file=sys.stderr, flush=True)
        printer.show(((records, live.subjects.get) for records, _named in live.batches(stop_on_signals(seconds))))
        lost = {
            key: count
            for key, count in live.sensor.counters().items()
            if key[1] not in ("sent", "known", "runtime_setup")
        }
    for (hook, cause), count in sorted(lost.items()):
        print(f"driftline events: lost {hook} {cause}: {count}", file=sys.stderr)


def _from_capture(path: Path) -> Iterator[tuple[list[bytes], object]]:
    subjects: dict[int, Subject] = {}
    batches = list(replay(path))  # names come after the first events they explain
    for batch in batches:
        for record in filter(is_subject, batch):
            subject = read_subject(record)
            subjects[subject.cgroup] = subject
    for batch in batches:
        yield [record for record in batch if not is_subject(record)], subjects.get


class Printer:
    """Prints events that pass the filter."""

    def __init__(self, container: str, json: bool) -> None:
        self._container, self._json = container, json

    def show(self, batches: Iterable[tuple[list[bytes], object]]) -> None:
        """Print every batch; lines appear at once."""
        for records, subject_of in batches:
            for record in records:
                self._show(record, subject_of)
            sys.stdout.flush()

    def _show(self, record: bytes, subject_of: object) -> None:
        event = decode(record)
        subject = subject_of(event.cgroup)  # type: ignore[operator]
        if self._container and not self._matches(subject, event.cgroup):
            return
        if self._json:
            print(jsonlib.dumps(as_json(event, subject), ensure_ascii=False))
            return
        wall = event.kernel_ns + time.time_ns() - time.monotonic_ns()
        moment = time.strftime("%H:%M:%S", time.localtime(wall / 1e9))
        print(f"{moment}.{wall // 1_000_000 % 1000:03d} {line(event, subject)}")

    def _matches(self, subject: Subject | None, cgroup: int) -> bool:
        names = [name_of(subject, cgroup)]
        if subject:
            names += [subject.name, subject.container_id, subject.pod]
        return any(name.startswith(self._container) for name in names if name)
