"""The guard before every call.

In: each call, with the method it wants. Out: the call, served; or ended with the reason why not. A stream is looked
after while it runs: when its token is removed or its certificate ends, so does the stream. Why an interceptor: a method
that somebody adds, health and reflection too, cannot forget to ask. Next: ``access`` decides.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc
import grpc.aio

from driftline_collector.access import CALLER, Access, Caller, Refused, peer_address

_log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often running streams are looked at: so long a removed token can still read."""


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # gRPC has no types
    """Asks ``access`` before each call of the server it intercepts."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._running: dict[asyncio.Task[Any], tuple[str, Caller, Any]] = {}
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look after running streams."""
        self._looking = asyncio.create_task(self._look(), name="driftline-access")

    async def stop(self) -> None:
        """End that. Raises what ended it before, if anything did."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))
            if not self._looking.cancelled():
                self._looking.result()

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(details)
        if handler is None:
            return None
        streaming = handler.request_streaming or handler.response_streaming
        kind, behaviour = _kind_and_behaviour(handler)
        wrap = self._generator if inspect.isasyncgenfunction(behaviour) else self._coroutine
        return kind(
            wrap(details.method, behaviour, streaming),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _coroutine(self, method: str, behaviour: Callable[..., Any], streaming: bool) -> Callable[..., Any]:
        async def call(request: Any, context: Any) -> Any:
            try:
                with self._watched(method, context, streaming):
                    return await behaviour(request, context)
            except Refused as refused:
                await self._refuse(method, context, refused)

        return call

    def _generator(self, method: str, behaviour: Callable[..., Any], streaming: bool) -> Callable[..., Any]:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                with self._watched(method, context, streaming):
                    async with aclosing(behaviour(request, context)) as responses:
                        async for response in responses:
                            yield response
            except Refused as refused:
                await self._refuse(method, context, refused)

        return call

    async def _refuse(self, method: str, context: Any, refused: Refused) -> None:
        told = self._access.note(method, peer_address(context.peer()), refused)
        await context.abort(told.code, told.reason)

    @contextmanager
    def _watched(self, method: str, context: Any, streaming: bool) -> Iterator[None]:
        caller = self._access.admit(method, context, streaming)
        CALLER.set(caller)  # the task serves this call only
        task = asyncio.current_task()
        assert task is not None
        if streaming and caller.identity is not None:
            self._running[task] = method, caller, context
        try:
            yield
        finally:
            self._running.pop(task, None)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for task, (method, caller, context) in list(self._running.items()):
                if not self._access.still_valid(caller):
                    self._running.pop(task, None)
                    await self._end(task, method, context, caller)

    async def _end(self, task: asyncio.Task[Any], method: str, context: Any, caller: Caller) -> None:
        reason = f"the {caller.transport} it began with is no longer valid"
        try:
            await self._refuse(method, context, Refused(grpc.StatusCode.UNAUTHENTICATED, reason))
        except grpc.aio.AbortError:
            pass  # gRPC's way to leave a handler; this is not it
        except Exception as error:  # noqa: BLE001 - it may have ended meanwhile; the others must be looked at
            _log.debug("a stream of %s could not be ended: %r", method, error)
        task.cancel()


_KINDS: dict[tuple[bool, bool], tuple[Callable[..., Any], str]] = {
    (False, False): (grpc.unary_unary_rpc_method_handler, "unary_unary"),
    (False, True): (grpc.unary_stream_rpc_method_handler, "unary_stream"),
    (True, False): (grpc.stream_unary_rpc_method_handler, "stream_unary"),
    (True, True): (grpc.stream_stream_rpc_method_handler, "stream_stream"),
}


def _kind_and_behaviour(handler: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    kind, name = _KINDS[handler.request_streaming, handler.response_streaming]
    return kind, getattr(handler, name)
