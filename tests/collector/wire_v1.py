"""What agents and collectors of version 1 say to each other, and what those of a later one might.

In: nothing. Out: ``messages()``, by file name in tests/data/wire-v1. Recorded once with ``python -m collector.wire_v1``
(PYTHONPATH=tests); a file that is there is never written again: it stands for programs that are out in the world.
*early* lacks all that an older version need not have sent; *future* has fields, kinds, and values nobody knows yet.
Next: test_wire_compatibility.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message

from driftline.nouns import Deviation, ExecImage, File, Kind, Loss, Origin, Process, Severity, Subject
from driftline.wire.convert import deviation_to_wire, loss_to_wire
from driftline.wire.gen.driftline.v1 import baseline_pb2, deviation_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import parts

DIRECTORY = Path(__file__).parents[1] / "data" / "wire-v1"
NODE = "node-v1"
KINDS = [Kind.EXEC_DRIFT, Kind.COVERAGE_GAP]
_UNKNOWN = b"\xc2\x3e\x03new" + b"\xc8\x3e\x2a" + b"\xd5\x3e\x01\x02\x03\x04"  # fields 1000, 1001 and 1002

M = TypeVar("M", bound=Message)


def identity(number: int) -> str:
    """Return an id."""
    return f"01939b7e-0000-7000-8000-{number:012}"


def present(number: int) -> Deviation:
    """Return a deviation with every field set."""
    return Deviation(
        identity(number),
        KINDS[number % 2],
        Severity.HIGH,
        "/tmp/x\\ ran: \x1b[31m",
        "T1059",
        "/tmp/x",
        1_763_000_000_000_000_000,
        1_763_000_000_000_000_001,
        12,
        13,
        NODE,
        Subject(
            7,
            "/kubepods/pod1/abc",
            "containerd",
            "abc123",
            "web",
            "nginx:1.25",
            "sha256:00",
            "shop",
            "web-0",
            "web",
            (("app", "web\n"),),
            99,
            True,
        ),
        "sha256:11",
        True,
        count=3,
        process=Process(20, 21, 14, 1, 2, 3, 4, 5, "payload"),
        argv=("/tmp/x", "-\udcff"),
        cwd="/tmp",
        tty="/dev/pts/0",
        exe="/tmp/x",
        ancestors=(ExecImage(1, 2, 3, "/bin/sh", ("sh", "-c"), 0, True),),
        file=File("/tmp/x", Origin.WRITABLE, 1, 2, 3, 0o100755, 12345),
        access=6,
        sha256="ab" * 32,
        sha256_note="of the file as it is now",
        protocol="tcp",
        address="192.0.2.1",
        port=4444,
        flags=5,
        environment=("LD_PRELOAD",),
        loss=Loss("open", "ring_full", 17, 4),
        notes=("baseline partial: attached late",),
        checks=("NL-07",),
    )


def early(number: int) -> deviation_pb2.Deviation:
    """Return one with nothing but what every version must send."""
    return deviation_pb2.Deviation(
        id=identity(number), kind="exec.drift", severity=deviation_pb2.SEVERITY_LOW, node=NODE, count=1
    )


def future(message: M) -> M:
    """Return ``message`` with fields nobody knows, in it and in all that is in it."""
    new = type(message).FromString(message.SerializeToString() + _UNKNOWN)
    for field, value in new.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for inner in value if field.is_repeated else [value]:
            inner.CopyFrom(future(inner))
    return new


def later(number: int) -> deviation_pb2.Deviation:
    """Return one with values nobody knows."""
    message = deviation_to_wire(present(number))
    message.severity, message.file.origin = 9, 77  # type: ignore[assignment]
    message.flags, message.access = 2**63, 2**31
    return future(message)


def unknown_kind(number: int) -> deviation_pb2.Deviation:
    """Return one of a kind nobody knows."""
    message = later(number)
    message.kind = "quantum.tunnel"
    return message


def _batch(sequence: int, *deviations: deviation_pb2.Deviation) -> pb.ReportRequest:
    return pb.ReportRequest(batch=pb.Batch(sequence=sequence, deviations=deviations))


BASELINE = "sha256:" + "ab" * 32
VERSION = "sha256:" + "cd" * 32


def _of_baselines() -> dict[str, Message]:
    """What agents and collectors of version 1.1 say to each other about baselines."""
    hello = pb.Hello(node=NODE, version="1.1.0", abi=3, boot_id="boot", takes_baselines=True)
    candidate = baseline_pb2.BASELINE_STATE_CANDIDATE
    used = baseline_pb2.BaselineInUse(name=BASELINE, image="nginx:1", state=candidate, version=VERSION, revision=2)
    in_use = baseline_pb2.BaselinesInUse(state_id="state", baselines=[used], left_out=1)
    form = baseline_pb2.BASELINE_FORMAT_MSGPACK
    (part,) = parts(BASELINE, VERSION, form, b"never read here")
    taken = baseline_pb2.OUTCOME_TAKEN
    outcome = baseline_pb2.BaselineOutcome(name=BASELINE, version=VERSION, revocation=True, outcome=taken, reason="x")
    welcome = pb.Welcome(store_id="store", version="1.1.0", takes_baselines=True)
    wanted = baseline_pb2.BaselineWanted(name=BASELINE, version=VERSION, revision=2)
    revocation = baseline_pb2.Revocation(
        name=BASELINE, version=VERSION, reason="bad", author="ann", made_by="reviewer/ann", revoked_wall_ns=5
    )
    return {
        "baselines-request-1-hello": pb.ReportRequest(hello=hello),
        "baselines-request-2-in-use": pb.ReportRequest(baselines_in_use=in_use),
        "baselines-request-3-part": pb.ReportRequest(baseline_part=part),
        "baselines-request-4-outcome": pb.ReportRequest(baseline_outcome=outcome),
        "baselines-response-1-welcome": pb.ReportResponse(welcome=welcome),
        "baselines-response-2-wanted": pb.ReportResponse(baseline_wanted=wanted),
        "baselines-response-3-part": pb.ReportResponse(baseline_part=part),
        "baselines-response-4-revocation": pb.ReportResponse(revocation=revocation),
        "baselines-response-5-acknowledgement": pb.ReportResponse(acknowledgement=pb.Acknowledgement(sequence=1)),
    }


def messages() -> dict[str, Message]:
    """Return every message, by its file's name."""
    hello = pb.ReportRequest(hello=pb.Hello(node=NODE, version="1.0.0", abi=3, boot_id="boot"))
    heartbeat = pb.ReportRequest(
        heartbeat=pb.Heartbeat(
            losses=[loss_to_wire(Loss("open", "ring_full", 17, 4))],
            counters={"events.exec": 7},
            hook_providers={"open": "lsm"},
            queue=pb.QueueFigures(waiting=1, unacknowledged=2, capacity=3),
            troubles=["a hook was detached"],
        )
    )
    welcome = pb.ReportResponse(welcome=pb.Welcome(store_id="store", version="1.0.0"))
    acknowledgement = pb.ReportResponse(acknowledgement=pb.Acknowledgement(sequence=1, rejected=1, reason="x"))
    stored = [pb.StoredDeviation(revision=n, deviation=deviation_to_wire(present(n))) for n in (1, 2)]
    cursor = pb.Cursor(store_id="store", revision=2)
    tail = pb.TailResponse(deviations=stored, missed=1, cursor=cursor, caught_up=True, silenced=1)
    newer = [pb.StoredDeviation(revision=n, deviation=make(n)) for n, make in ((3, later), (4, unknown_kind))]
    status = pb.AgentStatus(hello=hello.hello, last_seen_wall_ns=5, connected=True, heartbeat=heartbeat.heartbeat)
    listed = pb.ListAgentsResponse(agents=[status], warnings=["w"], access={"access.admitted": 1})
    return {
        "request-1-hello": hello,
        "request-2-heartbeat": heartbeat,
        "request-3-batch": _batch(1, deviation_to_wire(present(1)), deviation_to_wire(present(2))),
        "request-4-goodbye": pb.ReportRequest(goodbye=pb.Goodbye()),
        "early-request-1-hello": pb.ReportRequest(hello=pb.Hello(node=NODE)),
        "early-request-2-heartbeat": pb.ReportRequest(heartbeat=pb.Heartbeat()),
        "early-request-3-batch": _batch(1, early(5)),
        "future-request-1-hello": future(hello),
        "future-request-2-unknown": future(pb.ReportRequest()),
        "future-request-3-heartbeat": future(heartbeat),
        "future-request-4-batch": future(_batch(1, later(3), unknown_kind(4))),
        "future-request-5-goodbye": future(pb.ReportRequest(goodbye=pb.Goodbye())),
        "response-1-welcome": welcome,
        "response-2-acknowledgement": acknowledgement,
        "early-response-1-welcome": pb.ReportResponse(welcome=pb.Welcome()),
        "early-response-2-acknowledgement": pb.ReportResponse(acknowledgement=pb.Acknowledgement(sequence=1)),
        "future-response-1-welcome": future(welcome),
        "future-response-2-unknown": future(pb.ReportResponse()),
        "future-response-3-acknowledgement": future(acknowledgement),
        "tail-response": tail,
        "early-tail-response": pb.TailResponse(deviations=[pb.StoredDeviation(revision=5, deviation=early(5))]),
        "future-tail-response": future(pb.TailResponse(deviations=newer, cursor=cursor)),
        "list-agents-response": listed,
        "future-list-agents-response": future(listed),
        **_of_baselines(),
    }


def recorded(prefix: str) -> list[bytes]:
    """Return what is in the files whose name begins with ``prefix`` and goes on with a number, in their order."""
    return [path.read_bytes() for path in sorted(DIRECTORY.glob(f"{prefix}-[0-9]-*.bin"))]


def one(name: str) -> bytes:
    """Return what is in a file."""
    return (DIRECTORY / f"{name}.bin").read_bytes()


def main() -> None:
    """Record what is not recorded yet."""
    for name, message in messages().items():
        path = DIRECTORY / f"{name}.bin"
        if not path.exists():
            path.write_bytes(message.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
