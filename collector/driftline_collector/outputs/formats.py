"""The forms a deviation is sent in.

In: a stored deviation. Out: one JSON object as text. Next: the ``file``, ``webhook`` and ``falco`` outputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum

from driftline.wire.convert import deviation_from_wire
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.jsontext import deviation_to_json
from driftline_collector.outputs.falco import falco_event
from driftline_collector.outputs.ocsf import detection_finding


class Format(StrEnum):
    """How a deviation is written as JSON."""

    JSON = "json"  # as `driftline tail --json`
    OCSF = "ocsf"  # OCSF Detection Finding
    FALCO = "falco"  # as Falco's http_output and falcosidekick


Encode = Callable[[pb.StoredDeviation], str]


def _json(item: pb.StoredDeviation) -> str:
    return deviation_to_json(deviation_from_wire(item.deviation))


def _ocsf(item: pb.StoredDeviation) -> str:
    return json.dumps(detection_finding(item), separators=(",", ":"))


def _falco(item: pb.StoredDeviation) -> str:
    return json.dumps(falco_event(item.deviation), separators=(",", ":"))


ENCODERS: dict[Format, Encode] = {Format.JSON: _json, Format.OCSF: _ocsf, Format.FALCO: _falco}
"""For each format a function that raises RecordError for a deviation that this version cannot read."""
