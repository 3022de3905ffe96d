"""A deviation that never happened, to try an output.

In: the output's name and smallest severity. Out: a deviation that passes its filter and says what it is. Next:
``driftline outputs check --send-test``.
"""

from __future__ import annotations

import socket
import time
import uuid

from driftline.nouns import Severity
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2


def test_deviation(output: str, severity: Severity) -> pb.StoredDeviation:
    """Return a deviation about a container called ``driftline-test``."""
    now = time.time_ns()
    deviation = deviation_pb2.Deviation(
        id=str(uuid.uuid4()),
        kind="exec.unknown",
        severity=deviation_pb2.Severity.Value(f"SEVERITY_{severity.name}"),  # type: ignore[arg-type]
        sentence=f"test of output {output}: nothing happened, `driftline outputs check` sent this",
        technique="T1059",
        what="/usr/bin/true",
        first_wall_ns=now,
        last_wall_ns=now,
        node=escape(socket.gethostname()),
        count=1,
        subject=deviation_pb2.Subject(name="driftline-test", container_id="0" * 64, image="driftline/test:1"),
        process=deviation_pb2.Process(pid=1, comm="true"),
        exe="/usr/bin/true",
        argv=("true",),
        notes=("test",),
    )
    return pb.StoredDeviation(revision=0, deviation=deviation)
