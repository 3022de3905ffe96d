"""A deviation as lines for a terminal.

In: ``Deviation``. Out: ``rich.text.Text``, every part of it escaped by ``driftline.text`` and never parsed as markup:
what a container named its files cannot move the cursor, change colours or hide a line. Next: ``tail`` prints it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from driftline.nouns import Access, Deviation, ExecImage, File, Origin, Process, RecordFlag, Severity, Subject
from driftline.text import escape
from driftline.verdict.checks.table import CHECKS
from driftline.wire.jsontext import flag_names

STYLES = {
    Severity.INFO: "dim",
    Severity.LOW: "cyan",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "bold red",
    Severity.CRITICAL: "bold white on red",
}

RESOLVED = "resolved: "
"""How the note of a deviation begins that is over."""

SHORT_ID = 12  # characters of a container id, as the engines show them

_ORIGINS = {
    Origin.IMAGE: "from the image",
    Origin.WRITABLE: "in the writable layer, not from the image",
    Origin.COPYUP: "from the image, copied to the writable layer",
    Origin.ROOTFS: "in the container's root",
    Origin.VOLUME: "on a volume",
    Origin.TMPFS: "in memory (tmpfs)",
    Origin.PSEUDO: "of the kernel (proc, sys, dev)",
    Origin.MEMFD: "in an anonymous memory file",
    Origin.DELETED: "deleted",
    Origin.HOST: "of the host, outside the container",
    Origin.UNKNOWN: "of unknown origin",
}


def line(deviation: Deviation, now: datetime) -> Text:
    """Return one line: time, severity, kind, where, sentence, count when over 1. ``now`` decides if a date is shown."""
    text = _head(deviation, now)
    text.append(escape(deviation.sentence))
    if deviation.checks:
        text.append(f"  [{escape(' '.join(deviation.checks))}]", style="dim")
    if (over := _over(deviation)) is not None:
        text.append(f"  ({escape(over)})", style="green")
    elif deviation.count > 1:
        text.append(f"  (x{grouped(deviation.count)})", style="bold")
    return text


def update(deviation: Deviation, more: int, now: datetime) -> Text:
    """Return one line that says ``more`` repeats were folded into a deviation shown before."""
    text = _head(deviation, now)
    counts = f"+{grouped(more)} more like this, {grouped(deviation.count)} in all"
    return text.append(f"{counts}: {escape(deviation.what)}", style="dim")


def grouped(number: int) -> str:
    """Return a count as people read it: 12 431."""
    return f"{number:,}".replace(",", " ")


def resolved(deviation: Deviation, now: datetime) -> Text | None:
    """Return one line that says a deviation shown before is over, None if it is not."""
    if (over := _over(deviation)) is None:
        return None
    return _head(deviation, now).append(f"{escape(deviation.what)} {escape(over)}", style="green")


def _over(deviation: Deviation) -> str | None:
    return next((note for note in deviation.notes if note.startswith(RESOLVED)), None)


def digest(deviation: Deviation, now: datetime) -> Text:
    """Return one line with the digest of a deviation shown before it was known."""
    return _head(deviation, now).append(f"{escape(deviation.what)} is sha256 {deviation.sha256}", style="dim")


def _head(deviation: Deviation, now: datetime) -> Text:
    style = STYLES[deviation.severity]
    return Text.assemble(
        (f"{local_time(deviation.last_wall_ns, now)} ", "dim"),
        (f"{deviation.severity.upper():<8}", style),
        " ",
        (f"{deviation.kind:<22}", style),
        " ",
        (where(deviation.subject) or f"node {escape(deviation.node)}", "green"),
        "  ",
    )


def local_time(wall_ns: int, now: datetime) -> str:
    """Return Unix nanoseconds as local time with milliseconds; with its date unless it is today."""
    try:
        moment = datetime.fromtimestamp(wall_ns // 1_000_000_000)
    except (OverflowError, ValueError, OSError):
        return "????-??-??"
    day = "" if moment.date() == now.date() else f"{moment:%Y-%m-%d} "
    return f"{day}{moment:%H:%M:%S}.{wall_ns // 1_000_000 % 1000:03d}"


def where(subject: Subject) -> str:
    """Return the container as people name it: namespace/pod/name, name, short id, or its cgroup."""
    name = subject.name or subject.container_id[:SHORT_ID]
    parts = [part for part in (subject.namespace, subject.pod, name) if part]
    return escape("/".join(parts) if parts else subject.cgroup_path)


def details(deviation: Deviation) -> Text:
    """Return everything else a person needs to decide, several indented lines."""
    text = Text()
    for label, value in _details(deviation):
        text.append(f"    {label:<10}", style="dim").append(f"{value}\n")
    text.right_crop(1)
    return text


def _details(deviation: Deviation) -> Iterator[tuple[str, str]]:
    yield "id", deviation.id + (f"  ATT&CK {deviation.technique}" if deviation.technique else "")
    for number in deviation.checks:
        title = CHECKS[number].title if number in CHECKS else "a check this version does not know"
        yield "check", f"{escape(number)} {title}"
    yield from _container(deviation)
    yield from _tree(deviation)
    if deviation.file is not None:
        yield "file", _file(deviation.file)
    if deviation.access:
        yield "access", ", ".join(flag_names(deviation.access, Access))
    if deviation.sha256 or deviation.sha256_note:
        yield "sha256", deviation.sha256 or f"none: {escape(deviation.sha256_note)}"
    if deviation.address:
        port = f" port {deviation.port}" if deviation.port else ""
        yield "address", f"{escape(deviation.protocol)} {escape(deviation.address)}{port}"
    if deviation.environment:
        yield "set", ", ".join(map(escape, deviation.environment))
    if (loss := deviation.loss) is not None:
        yield "lost", f"{loss.count} ({escape(loss.hook)} {escape(loss.cause)})"
    if flags := deviation.flags & ~RecordFlag.CACHEABLE:  # the kernel's own business
        yield "flags", ", ".join(flag_names(flags, RecordFlag))
    for note in deviation.notes:
        yield "note", escape(note)


def _container(deviation: Deviation) -> Iterator[tuple[str, str]]:
    subject = deviation.subject
    if not (subject.cgroup or subject.container_id):  # it is about the node itself
        yield "node", escape(deviation.node)
        return
    engine = f"{escape(subject.engine)} {escape(subject.container_id)}".strip()
    yield "container", f"{engine or escape(subject.cgroup_path)} on node {escape(deviation.node)}"
    yield "image", f"{escape(subject.image)} {escape(subject.image_digest)}".strip() or "unknown"
    state = "being learned" if deviation.learning else "none"
    yield "baseline", escape(deviation.baseline) or state


def _tree(deviation: Deviation) -> Iterator[tuple[str, str]]:
    """The process below its ancestors, oldest first."""
    depth = len(deviation.ancestors)
    for level, image in enumerate(reversed(deviation.ancestors)):
        yield ("" if level else "tree"), _indent(level) + _ancestor(image)
    if (process := deviation.process) is not None:
        yield ("" if depth else "process"), _indent(depth) + _process(deviation, process)
    if deviation.cwd or deviation.tty:
        yield "in", " on ".join(escape(part) for part in (deviation.cwd, deviation.tty) if part)


def _indent(level: int) -> str:
    return "  " * (level - 1) + "└ " if level else ""


def _ancestor(image: ExecImage) -> str:
    entered = ", came from outside" if image.entered else ""
    return f"{_command(image.path, image.argv)}  (pid {image.pid}, uid {image.uid}{entered})"


def _process(deviation: Deviation, process: Process) -> str:
    ids = f"pid {process.pid}, uid {process.uid}" + (f", euid {process.euid}" if process.euid != process.uid else "")
    return f"{_command(deviation.exe or process.comm, deviation.argv)}  ({ids}, {escape(process.comm)})"


def _command(path: str, argv: tuple[str, ...]) -> str:
    return " ".join([escape(path), *(shlex.quote(escape(argument)) for argument in argv[1:])])


def _file(file: File) -> str:
    return f"{escape(file.path)}, {_ORIGINS[file.origin]}, {file.size} bytes, mode {file.mode:o}, links {file.links}"
