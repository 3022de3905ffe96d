"""Where the agent's deviations go: the collector, or standard output.

In: settings. Out: a sink. Why each way is imported only when it is taken: gRPC is most of the agent's memory, and a
standalone agent needs none of it. Next: ``lifecycle`` starts it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from driftline.probe.layout import ABI
from driftline.report.sink import Sink
from driftline.settings import Settings


def make_sink(settings: Settings, provider: str, say: Callable[[str], None]) -> Sink:
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
        sink = StreamSink(settings.collector, identity, settings.report_queue, credentials, spool)
        if sink.plaintext_abroad:
            say(SHOUT.format(settings.collector))
        return sink
    from driftline.report.jsonlines import JsonLinesSink

    return JsonLinesSink(sys.stdout, settings.report_queue)


def _import_grpc() -> None:
    """Import gRPC without ``ssl``: gRPC brings its own TLS, but imports asyncio, which the agent never runs and which
    takes ``ssl`` if it is there: 1.1 MiB. Who needs it later imports it as ever."""
    if "asyncio" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment] # the documented way to say that a module is not there
    try:
        importlib.import_module("grpc")
    finally:
        del sys.modules["ssl"]
