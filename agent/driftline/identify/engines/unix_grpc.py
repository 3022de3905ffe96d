"""Unary gRPC calls over a Unix socket, for the engines that speak gRPC.

In: a socket path, a method, a message. Out: the reply. Why: one place turns gRPC's failures into ``EngineError``, and
imports gRPC only when there is a socket to talk to. Next: ``containerd``, ``cri``.
"""

from __future__ import annotations

import os
import time
from typing import Any, TypeVar

from google.protobuf.message import Message

from driftline.errors import EngineError
from driftline.identify.engines import EngineAbsent

MAX_REPLY_BYTES = 4 * 1024 * 1024
"""A container's description is a few KiB; CRI implementations themselves cap messages at 16 MiB."""
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_REPLY_BYTES),
    ("grpc.enable_http_proxy", 0),
    ("grpc.default_authority", "localhost"),  # Go servers refuse the socket's path as authority
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)
Reply = TypeVar("Reply", bound=Message)


class Deadline:
    """What is left of the time for one look-up of several calls."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left, a little more than none."""
        return max(self._end - time.monotonic(), 0.001)


class UnixChannel:
    """A lazily made channel to the engine ``engine`` at the Unix socket ``path``."""

    def __init__(self, engine: str, path: str) -> None:
        self._engine = engine
        self._path = path
        self._channel: Any = None

    def call(
        self,
        method: str,
        request: Message,
        reply: type[Reply],
        deadline: Deadline,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Reply | None:
        """Return the reply to ``method`` ("/package.Service/Method"), None for NOT_FOUND. Raises EngineError."""
        import grpc  # 15 MiB and 80 ms that a node without such an engine need not pay

        stub = self._connected(grpc).unary_unary(
            method, request_serializer=type(request).SerializeToString, response_deserializer=reply.FromString
        )
        try:
            answer: Reply = stub(request, timeout=deadline.left(), metadata=metadata)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return None
            raise EngineError(
                f"{self._engine} at {self._path} failed {method}: {error.code().name}: {error.details()}",
                f"see whether {self._engine} runs and its socket may be used",
            ) from error
        return answer

    def close(self) -> None:
        """Close the channel; the next call makes a new one."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _connected(self, grpc: Any) -> Any:
        if not os.path.exists(self._path):
            self.close()
            raise EngineAbsent(f"there is no {self._engine} socket at {self._path}", "name its socket in the settings")
        if self._channel is None:
            self._channel = grpc.insecure_channel(f"unix:{self._path}", options=_OPTIONS)
        return self._channel
