"""The sink that streams to the collector.

In: deviations and heartbeats. Out: the collector's store, at least once, in order. Why it is so thin: ``backlog`` and
its ``spool`` keep, ``wire.uplink`` delivers. Next: the collector's ``ingest``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline import __version__
from driftline.nouns import Deviation, Loss
from driftline.report.backlog import Backlog
from driftline.report.heartbeat import make_heartbeat
from driftline.report.keeper import Keeper
from driftline.report.sink import SinkFigures
from driftline.report.spool import SpoolOptions
from driftline.text import escape
from driftline.wire.credentials import PLAINTEXT, Credentials, Link
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.uplink import Uplink

if TYPE_CHECKING:
    from driftline.report.exchange import Exchange


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """Who reports: node name, ABI number of the kernel records, boot id, hook to chosen provider."""

    node: str
    abi: int = 0
    boot_id: str = ""
    version: str = __version__
    hook_providers: dict[str, str] = field(default_factory=dict)

    def hello(self, takes_baselines: bool) -> pb.Hello:
        """Return the message that opens every connection."""
        return pb.Hello(
            node=escape(self.node),
            version=self.version,
            abi=self.abi,
            boot_id=self.boot_id,
            takes_baselines=takes_baselines,
        )


KEEP_SECONDS = 1.0
"""How long what is left may take to reach the disk when the agent stops: 10 000 deviations take a third of it."""


class StreamSink:
    """Streams to the collector at ``target`` (HOST:PORT, or several with commas between); implements ``sink.Sink``.

    With ``spool``, deviations wait on disk, also for the next agent; without, in memory: at most ``capacity``. With
    ``exchange``, baselines go to the collector and come from it.
    Raises SettingsError if the address needs other credentials, or their files are wrong.
    """

    def __init__(
        self,
        target: str,
        identity: AgentIdentity,
        capacity: int,
        credentials: Credentials = PLAINTEXT,
        spool: SpoolOptions | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self._identity = identity
        hello = identity.hello(takes_baselines=exchange is not None)
        self._backlog = Backlog(hello, capacity, spooled=spool is not None, exchange=exchange)
        self._keeper = Keeper(self._backlog, spool) if spool else None
        link = Link(target, credentials)
        self.plaintext_abroad = link.plaintext_abroad
        self._uplink = Uplink(link, self._backlog)

    def start(self) -> None:
        """See ``sink.Sink``."""
        if self._keeper:
            self._keeper.start()
        self._uplink.start()

    def submit(self, deviation: Deviation) -> None:
        """See ``sink.Sink``."""
        self._backlog.put(deviation)

    def heartbeat(self, losses: list[Loss], counters: dict[str, int], troubles: Sequence[str] = ()) -> None:
        """See ``sink.Sink``."""
        own = self._backlog.losses()
        providers = {escape(hook): escape(provider) for hook, provider in self._identity.hook_providers.items()}
        counters = counters | self._backlog.counters()
        self._backlog.put_heartbeat(make_heartbeat([*losses, *own], counters, providers, troubles))

    def figures(self) -> SinkFigures:
        """See ``sink.Sink``."""
        return self._backlog.figures(self.connected)

    def losses(self) -> list[Loss]:
        """See ``sink.Sink``."""
        return self._backlog.losses()

    def stop(self, timeout: float) -> None:
        """See ``sink.Sink``."""
        self._uplink.stop(timeout)
        if self._keeper:
            self._keeper.stop(KEEP_SECONDS)
        self._backlog.abandon()

    @property
    def connected(self) -> bool:
        """Whether the collector answers at present."""
        return self._uplink.connected
