"""The ``webhook`` and ``falco`` outputs: JSON by HTTP POST.

In: batches. Out: one request per batch, as an array or as lines; or one request per deviation. Next: whoever has a URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outputs.formats import Encode
from driftline_collector.outputs.httpclient import HttpClient
from driftline_collector.outputs.sending import Taken


class Body(StrEnum):
    """The body of a request."""

    ARRAY = "array"  # a JSON array of deviations
    LINES = "lines"  # one JSON object per line
    OBJECT = "object"  # one deviation alone


class WebhookSender:
    """Posts batches of up to ``batch`` deviations through ``client``."""

    batch_bytes = 1024 * 1024

    def __init__(self, client: HttpClient, encode: Encode, body: Body, batch: int) -> None:
        self._client = client
        self._encode = encode
        self._body = body
        self.batch_deviations = 1 if body is Body.OBJECT else batch

    def send(self, batch: Sequence[pb.StoredDeviation]) -> Taken:
        """Post the batch. Raises Unavailable, Refused or RecordError."""
        texts = [self._encode(item) for item in batch]
        if self._body is Body.LINES:
            content, kind = "".join(f"{text}\n" for text in texts), "application/x-ndjson"
        elif self._body is Body.ARRAY:
            content, kind = f"[{','.join(texts)}]", "application/json"
        else:
            content, kind = texts[0], "application/json"
        self._client.post(content.encode(), kind)
        return Taken()

    def reopen(self) -> None:
        """Nothing: there is no file."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
