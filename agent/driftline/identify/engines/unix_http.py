"""HTTP GET of a JSON object over a Unix socket.

In: a socket path, a request path. Out: the object. Why apart: ``http.client`` brings TLS and e-mail parsing, 8 MiB that
a node without Docker need not pay; ``docker`` imports this module when it has found a socket.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import Any

MAX_REPLY_BYTES = 4 * 1024 * 1024
"""An inspected container is some 10 KiB."""
_PIECE_BYTES = 65_536


class UnixConnection(http.client.HTTPConnection):
    """A connection to the Unix socket ``path`` for ``seconds`` altogether. Raises OSError and HTTPException."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path
        self._end = time.monotonic() + seconds

    def connect(self) -> None:
        """Connect; ``request`` calls this."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._limit()
        self.sock.connect(self._path)

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the JSON object at ``path``, None for 404. Raises ValueError for any other answer."""
        if self.sock:
            self._limit()
        self.request("GET", path)
        response = self.getresponse()
        body = self._read(response)
        if response.status == http.HTTPStatus.NOT_FOUND:
            return None
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"GET {path} was answered with status {response.status}")
        answer = json.loads(body)
        if not isinstance(answer, dict):
            raise ValueError(f"GET {path} was answered with no object")
        return answer

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        body = b""
        while piece := response.read1(_PIECE_BYTES):
            body += piece
            if len(body) > MAX_REPLY_BYTES:
                raise ValueError(f"an answer is longer than {MAX_REPLY_BYTES} bytes")
            self._limit()
        response.close()  # read1 does not, at the end, and the next request would find it unread
        return body

    def _limit(self) -> None:
        """A socket's own time limit is per operation: an answer that trickles in would never reach it."""
        if self.sock:
            self.sock.settimeout(max(self._end - time.monotonic(), 0.001))
