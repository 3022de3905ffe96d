"""The ``otlp`` output over HTTP: binary protobuf by POST.

In: batches. Out: one request each. Source: the OTLP specification, "OTLP/HTTP". Next: an OpenTelemetry collector, or a
product that takes OTLP.
"""

from __future__ import annotations

from collections.abc import Sequence

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outputs.httpclient import HttpClient
from driftline_collector.outputs.otlp import BATCH_BYTES, export_request, read_answer
from driftline_collector.outputs.sending import Taken


class OtlpHttpSender:
    """Posts batches of up to ``batch`` deviations through ``client``."""

    batch_bytes = BATCH_BYTES

    def __init__(self, client: HttpClient, ocsf: bool, batch: int) -> None:
        self._client = client
        self._ocsf = ocsf
        self.batch_deviations = batch

    def send(self, batch: Sequence[pb.StoredDeviation]) -> Taken:
        """Post the batch. Raises Unavailable or Refused."""
        return read_answer(self._client.post(export_request(batch, self._ocsf), "application/x-protobuf"))

    def reopen(self) -> None:
        """Nothing: there is no file."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
