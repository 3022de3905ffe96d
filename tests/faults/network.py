"""A network that can be cut and stalled: a TCP proxy in a thread, between agents and a collector.

In: where the collector listens. Out: an address to give to agents instead. Why a proxy: cutting the real loopback would
cut everybody's. Next: ``campaign``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

CHUNK = 64 * 1024
STOP_SECONDS = 30.0


class Network:
    """Forwards connections to ``target`` (HOST:PORT) between ``start`` and ``stop``; all methods from one thread."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="network")
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._flowing = asyncio.Event()
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self.address = ""

    def start(self) -> str:
        """Return the address to connect to."""
        self._thread.start()
        assert self._started.wait(STOP_SECONDS)
        return self.address

    def stop(self) -> None:
        """Close every connection."""
        self._do(self._stopping.set)
        self._thread.join(STOP_SECONDS)
        assert not self._thread.is_alive()

    def cut(self) -> None:
        """Reset every connection, and each new one."""
        self._do(self._cut)

    def stall(self) -> None:
        """Hold back every byte: connections stay, nothing arrives."""
        self._do(self._flowing.clear)

    def heal(self) -> None:
        """Be a good network again."""
        self._do(self._heal)

    def _do(self, what: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(what)

    def _cut(self) -> None:
        self._open = False
        for writer in self._writers:
            writer.transport.abort()

    def _heal(self) -> None:
        self._open = True
        self._flowing.set()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self._flowing.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        self._started.set()
        await self._stopping.wait()
        server.close()
        self._cut()
        self._flowing.set()
        await asyncio.sleep(0.1)  # the connections' tasks end

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._open:
                far_reader, far_writer = await asyncio.open_connection(*self._target)
                self._writers.add(far_writer)
                pumps = self._pump(reader, far_writer), self._pump(far_reader, writer)
                try:
                    await asyncio.gather(*pumps)
                finally:
                    self._writers.discard(far_writer)
                    far_writer.transport.abort()
        except OSError:
            pass  # what a network does
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError  # one side has closed: so does the other
