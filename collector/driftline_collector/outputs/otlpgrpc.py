"""The ``otlp`` output over gRPC.

In: batches. Out: one Export call each. Which failures may be tried again follows the OTLP specification
("OTLP/gRPC Response"); what tells of a mistake in the configuration is tried again too, since somebody will mend it.
Next: an OpenTelemetry collector, or a product that takes OTLP.
"""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from driftline.errors import SettingsError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outputs.httpclient import Endpoint
from driftline_collector.outputs.otlp import BATCH_BYTES, export_request, read_answer
from driftline_collector.outputs.sending import Refused, Taken, Unavailable

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

REFUSING = frozenset({grpc.StatusCode.INVALID_ARGUMENT})
"""Answers about the content."""

_TOO_LARGE = grpc.StatusCode.RESOURCE_EXHAUSTED
"""Also what gRPC says of a message larger than the receiver takes: a smaller batch may pass."""


class OtlpGrpcSender:
    """Calls Export at ``endpoint`` with batches of up to ``batch`` deviations."""

    batch_bytes = BATCH_BYTES

    def __init__(self, endpoint: Endpoint, ocsf: bool, batch: int) -> None:
        self._endpoint = endpoint
        self._ocsf = ocsf
        self.batch_deviations = batch
        self._channel: grpc.Channel | None = None

    def send(self, batch: Sequence[pb.StoredDeviation]) -> Taken:
        """Export the batch. Raises Unavailable or Refused."""
        try:
            headers = [(name.lower(), value) for name, value in self._endpoint.read_headers().items()]
            export = self._connected().unary_unary(EXPORT, response_deserializer=read_answer)
        except SettingsError as error:
            raise Unavailable(str(error.args[0])) from error
        request = export_request(batch, self._ocsf)
        compression = grpc.Compression.Gzip if self._endpoint.compress else grpc.Compression.NoCompression
        try:
            taken: Taken = export(request, timeout=self._endpoint.seconds, metadata=headers, compression=compression)
            return taken
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            said = f"{code.name} {details}"
            if code in REFUSING or (code is _TOO_LARGE and "larger than max" in details):
                raise Refused(said) from error
            self.close()  # certificates or addresses may have changed: the next attempt begins anew
            raise Unavailable(said) from error

    def reopen(self) -> None:
        """Nothing: there is no file."""

    def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            self._channel.close()
        self._channel = None

    def _connected(self) -> grpc.Channel:
        """Return the channel. Raises SettingsError if the URL, OSError if a certificate cannot be read."""
        if self._channel is None:
            url = self._endpoint.read_url()
            target = f"{url.hostname if ':' not in str(url.hostname) else f'[{url.hostname}]'}:{url.port or 4317}"
            if url.scheme == "http":
                self._channel = grpc.insecure_channel(target)
            else:
                self._channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(*self._endpoint.tls.read()))
        return self._channel
