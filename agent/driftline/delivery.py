"""Where the agent's deviations go: the collector, or standard output.

In: settings. Out: a sink. Why each way is imported only when it is taken: gRPC is most of the agent's memory, and a
standalone agent needs none of it. Next: ``lifecycle`` starts it.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from driftline.probe.layout import ABI
from driftline.report.sink import Sink
from driftline.settings import Settings

if TYPE_CHECKING:
    from driftline.sharing import Sharing


def make_sharing(settings: Settings, state: Path | None, wake: Callable[[], None]) -> Sharing | None:
    """Return the exchange of baselines with the collector; None without one, without a disk, or if it is not wanted."""
    if not settings.collector or settings.collector_baselines == "no":
        return None
    if state is None or not os.access(state, os.W_OK):
        return None
    _import_grpc()
    from driftline.sharing import Sharing

    return Sharing(settings, str(state), wake)


def make_sink(settings: Settings, provider: str, say: Callable[[str], None], sharing: Sharing | None) -> Sink:
    """Return where deviations go. ``say`` tells the operator what he must know of it."""
    if settings.collector:
        _import_grpc()
        from driftline.report.spool import SpoolOptions
        from driftline.report.stream import AgentIdentity, StreamSink
        from driftline.wire.credentials import SHOUT, Credentials
        from driftline.wire.credentials_files import TlsPaths

        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        identity = AgentIdentity(settings.node, ABI, boot, hook_providers={"open": provider})
        paths = TlsPaths(settings.tls_ca, settings.tls_cert, settings.tls_key)
        credentials = Credentials(paths, insecure_plaintext=settings.insecure_plaintext)
        spool = SpoolOptions(
            Path(settings.state_dir) / "spool",
            settings.spool_bytes,
            settings.spool_days,
            settings.spool_fsync,
            settings.spool_fsync_ms,
        )
        exchange = sharing.exchange if sharing else None
        sink = StreamSink(settings.collector, identity, settings.report_queue, credentials, spool, exchange)
        if sink.plaintext_abroad:
            say(SHOUT.format(settings.collector))
        return sink
    from driftline.report.jsonlines import JsonLinesSink

    return JsonLinesSink(sys.stdout, settings.report_queue)


def _import_grpc() -> None:
    """Import gRPC without what the agent never runs, 1.7 MiB. Who needs it later imports it as ever.

    ``ssl``: gRPC brings its own TLS, but imports asyncio, which takes it if it is there. ``grpc.aio``: gRPC imports it
    for those who spell the module otherwise.
    """
    if "asyncio" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment] # the documented way to say that a module is not there
    sys.modules["grpc.aio"] = ModuleType("grpc.aio")  # None would end the import
    try:
        del importlib.import_module("grpc").aio
    finally:
        del sys.modules["ssl"], sys.modules["grpc.aio"]
