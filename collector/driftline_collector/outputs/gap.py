"""A deviation of our own, for a receiver from which deviations were kept.

In: how many, and why. Out: a ``coverage.gap`` that goes to this output in the place of those deviations. Why in the
stream itself: whoever reads only the receiver must see the hole there. Next: ``runner`` sends it.
"""

from __future__ import annotations

import socket
import time
import uuid

from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2

_WHY = {
    "lag": "it was further behind than max_lag allows",
    "retention": "the store had to remove them first",
}


def gap(output: str, cause: str, count: int, revision: int) -> pb.StoredDeviation:
    """Return the deviation that says that ``count`` deviations up to ``revision`` were not sent to ``output``."""
    now = time.time_ns()
    deviation = deviation_pb2.Deviation(
        id=str(uuid.uuid4()),
        kind="coverage.gap",
        severity=deviation_pb2.SEVERITY_MEDIUM,
        sentence=f"{count} deviations were not sent to output {output}: {_WHY[cause]}",
        technique="T1562",
        what=f"output {output} {cause}",
        first_wall_ns=now,
        last_wall_ns=now,
        node=escape(socket.gethostname()),
        count=count,
        loss=deviation_pb2.Loss(hook="output", cause=cause, count=count),
    )
    return pb.StoredDeviation(revision=revision, deviation=deviation)
