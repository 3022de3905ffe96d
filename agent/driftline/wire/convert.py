"""Nouns to protobuf messages and back, without loss.

In: ``driftline.nouns`` values with raw text; messages with escaped text. Out: the other. Why here: hostile text crosses
exactly one border, and only this module knows which fields it may be in. Next: ``client`` sends the messages,
``cli.tail`` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from driftline.errors import RecordError
from driftline.nouns import Deviation, ExecImage, File, Kind, Loss, Origin, Process, Severity, Subject
from driftline.text import escape, unescape
from driftline.wire.gen.driftline.v1 import deviation_pb2 as pb

SEVERITY_TO_WIRE = {
    severity: cast("pb.Severity", pb.Severity.Value(f"SEVERITY_{severity.name}")) for severity in Severity
}
_SEVERITY_FROM_WIRE = {number: severity for severity, number in SEVERITY_TO_WIRE.items()}
_HIGHEST = max(_SEVERITY_FROM_WIRE)
_ORIGIN_TO_WIRE = {origin: cast("pb.Origin", pb.Origin.Value(f"ORIGIN_{origin.name}")) for origin in Origin}
_ORIGIN_FROM_WIRE = {number: origin for origin, number in _ORIGIN_TO_WIRE.items()}

SENTENCE_CHARACTERS = 300
"""Of a deviation that cannot be read: of its sentence, and of the reason, in the error about it."""


def deviation_to_wire(deviation: Deviation) -> pb.Deviation:
    """Return the message for ``deviation``. Raises ValueError for a number its field cannot hold."""
    message = pb.Deviation(
        id=deviation.id,
        kind=deviation.kind.value,
        severity=SEVERITY_TO_WIRE[deviation.severity],
        technique=deviation.technique,
        first_wall_ns=deviation.first_wall_ns,
        last_wall_ns=deviation.last_wall_ns,
        first_kernel_ns=deviation.first_kernel_ns,
        last_kernel_ns=deviation.last_kernel_ns,
        subject=_subject_to_wire(deviation.subject),
        learning=deviation.learning,
        count=deviation.count,
        ancestors=map(_image_to_wire, deviation.ancestors),
        access=deviation.access,
        sha256=deviation.sha256,
        port=deviation.port,
        flags=deviation.flags,
        process=None if deviation.process is None else _process_to_wire(deviation.process),
        file=None if deviation.file is None else _file_to_wire(deviation.file),
        loss=None if deviation.loss is None else loss_to_wire(deviation.loss),
    )
    _escape_into(message, deviation)
    return message


def _escape_into(message: pb.Deviation, deviation: Deviation) -> None:
    message.sentence = escape(deviation.sentence)
    message.what = escape(deviation.what)
    message.node = escape(deviation.node)
    message.baseline = escape(deviation.baseline)
    message.cwd = escape(deviation.cwd)
    message.tty = escape(deviation.tty)
    message.exe = escape(deviation.exe)
    message.sha256_note = escape(deviation.sha256_note)
    message.protocol = escape(deviation.protocol)
    message.address = escape(deviation.address)
    message.argv.extend(map(escape, deviation.argv))
    message.environment.extend(map(escape, deviation.environment))
    message.notes.extend(map(escape, deviation.notes))
    message.checks.extend(map(escape, deviation.checks))


def deviation_from_wire(message: pb.Deviation) -> Deviation:
    """Return the deviation in ``message``. Raises RecordError if it cannot be read: a kind of a newer version, or
    malformed. Then its sentence is in the error: whoever looks must know of it all the same."""
    try:
        return _read(message)
    except (ValueError, KeyError) as error:
        hint = "use a driftline as new as the agent that reported it"
        why, said = (text[:SENTENCE_CHARACTERS] for text in (str(error), message.sentence))
        told = f"deviation {escape(message.id[:64])} cannot be read ({why}){': ' if said else ''}{said}"
        raise RecordError(told, hint) from error


def _severity_from_wire(number: pb.Severity) -> Severity:
    """One above all we know, of a newer agent, is the highest we know."""
    return Severity.CRITICAL if number > _HIGHEST else _SEVERITY_FROM_WIRE[number]


def _read(message: pb.Deviation) -> Deviation:
    return Deviation(
        id=message.id,
        kind=Kind(message.kind),
        severity=_severity_from_wire(message.severity),
        sentence=unescape(message.sentence),
        technique=message.technique,
        what=unescape(message.what),
        first_wall_ns=message.first_wall_ns,
        last_wall_ns=message.last_wall_ns,
        first_kernel_ns=message.first_kernel_ns,
        last_kernel_ns=message.last_kernel_ns,
        node=unescape(message.node),
        subject=_subject_from_wire(message.subject),
        baseline=unescape(message.baseline),
        learning=message.learning,
        count=message.count,
        process=_process_from_wire(message.process) if message.HasField("process") else None,
        argv=_texts(message.argv),
        cwd=unescape(message.cwd),
        tty=unescape(message.tty),
        exe=unescape(message.exe),
        ancestors=tuple(map(_image_from_wire, message.ancestors)),
        file=_file_from_wire(message.file) if message.HasField("file") else None,
        access=message.access,
        sha256=message.sha256,
        sha256_note=unescape(message.sha256_note),
        protocol=unescape(message.protocol),
        address=unescape(message.address),
        port=message.port,
        flags=message.flags,
        environment=_texts(message.environment),
        loss=loss_from_wire(message.loss) if message.HasField("loss") else None,
        notes=_texts(message.notes),
        checks=_texts(message.checks),
    )


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(unescape, values))


def _subject_to_wire(subject: Subject) -> pb.Subject:
    return pb.Subject(
        cgroup=subject.cgroup,
        cgroup_path=escape(subject.cgroup_path),
        engine=escape(subject.engine),
        container_id=escape(subject.container_id),
        name=escape(subject.name),
        image=escape(subject.image),
        image_digest=escape(subject.image_digest),
        namespace=escape(subject.namespace),
        pod=escape(subject.pod),
        workload=escape(subject.workload),
        labels=(pb.Label(key=escape(key), value=escape(value)) for key, value in subject.labels),
        started_ns=subject.started_ns,
        attached_late=subject.attached_late,
    )


def _subject_from_wire(message: pb.Subject) -> Subject:
    return Subject(
        cgroup=message.cgroup,
        cgroup_path=unescape(message.cgroup_path),
        engine=unescape(message.engine),
        container_id=unescape(message.container_id),
        name=unescape(message.name),
        image=unescape(message.image),
        image_digest=unescape(message.image_digest),
        namespace=unescape(message.namespace),
        pod=unescape(message.pod),
        workload=unescape(message.workload),
        labels=tuple((unescape(label.key), unescape(label.value)) for label in message.labels),
        started_ns=message.started_ns,
        attached_late=message.attached_late,
    )


def _process_to_wire(process: Process) -> pb.Process:
    return pb.Process(
        pid=process.pid,
        tid=process.tid,
        ppid=process.ppid,
        start_ns=process.start_ns,
        exec_id=process.exec_id,
        uid=process.uid,
        gid=process.gid,
        euid=process.euid,
        comm=escape(process.comm),
    )


def _process_from_wire(message: pb.Process) -> Process:
    return Process(
        pid=message.pid,
        tid=message.tid,
        ppid=message.ppid,
        start_ns=message.start_ns,
        exec_id=message.exec_id,
        uid=message.uid,
        gid=message.gid,
        euid=message.euid,
        comm=unescape(message.comm),
    )


def _image_to_wire(image: ExecImage) -> pb.ExecImage:
    return pb.ExecImage(
        exec_id=image.exec_id,
        pid=image.pid,
        start_ns=image.start_ns,
        path=escape(image.path),
        argv=map(escape, image.argv),
        uid=image.uid,
        entered=image.entered,
    )


def _image_from_wire(message: pb.ExecImage) -> ExecImage:
    return ExecImage(
        exec_id=message.exec_id,
        pid=message.pid,
        start_ns=message.start_ns,
        path=unescape(message.path),
        argv=_texts(message.argv),
        uid=message.uid,
        entered=message.entered,
    )


def _file_to_wire(file: File) -> pb.File:
    return pb.File(
        path=escape(file.path),
        origin=_ORIGIN_TO_WIRE[file.origin],
        device=file.device,
        inode=file.inode,
        links=file.links,
        mode=file.mode,
        size=file.size,
    )


def _file_from_wire(message: pb.File) -> File:
    return File(
        path=unescape(message.path),
        origin=_ORIGIN_FROM_WIRE.get(message.origin, Origin.UNKNOWN),
        device=message.device,
        inode=message.inode,
        links=message.links,
        mode=message.mode,
        size=message.size,
    )


def loss_to_wire(loss: Loss) -> pb.Loss:
    """Return the message for ``loss``."""
    return pb.Loss(hook=escape(loss.hook), cause=escape(loss.cause), count=loss.count, cgroup=loss.cgroup)


def loss_from_wire(message: pb.Loss) -> Loss:
    """Return the loss in ``message``. Raises ValueError for malformed escapes."""
    return Loss(unescape(message.hook), unescape(message.cause), message.count, message.cgroup)
