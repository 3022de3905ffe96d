"""``driftline collector``.

In: where to listen, with which certificate, and where to keep state. Out: a running collector, until SIGTERM or SIGINT.
Next: ``driftline_collector.server``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from driftline.wire.address import DEFAULT_COLLECTOR
from driftline.wire.credentials_files import TlsPaths

if TYPE_CHECKING:
    from driftline_collector.outputs.config import OutputsFile

DEFAULT_STATE = Path("/var/lib/driftline-collector")
DEFAULT_HTTP = "127.0.0.1:4791"


def command(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="IP address to listen on; port 0 takes a free one.")
    ] = DEFAULT_COLLECTOR,
    state: Annotated[Path, typer.Option(metavar="DIR", help="Directory of the database.")] = DEFAULT_STATE,
    tls_cert: Annotated[str, typer.Option(metavar="FILE", help="PEM file with the collector's certificate.")] = "",
    tls_key: Annotated[str, typer.Option(metavar="FILE", help="PEM file with its private key.")] = "",
    tls_client_ca: Annotated[
        str, typer.Option(metavar="FILE", help="PEM file with the CA of the agents' and readers' certificates.")
    ] = "",
    token_listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where readers with a token instead of a certificate connect.")
    ] = "",
    store: Annotated[
        str, typer.Option(metavar="URL", help="postgresql://... instead of SQLite in --state (docs/collector.md).")
    ] = "",
    store_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the password for --store, readable by you only.")
    ] = None,
    keep_days: Annotated[
        int, typer.Option(min=0, max=36500, help="Days that deviations are kept; 0: without this limit.")
    ] = 90,
    keep_bytes: Annotated[
        int, typer.Option(min=0, help="Bytes that deviations may take, least severe go first; 0: without this limit.")
    ] = 5 * 1024**3,
    outputs: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file with outputs to other systems (docs/outputs.md).")
    ] = None,
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /healthz, /readyz and /metrics are shown; empty: nowhere.")
    ] = DEFAULT_HTTP,
    silent_after: Annotated[
        float, typer.Option(min=0, help="Seconds without a sign of life until an agent is told as silent; 0: never.")
    ] = 60.0,
    degraded_losses: Annotated[
        int, typer.Option(min=0, help="Losses in a minute from which an agent is told as degraded; 0: never.")
    ] = 1000,
    insecure_plaintext: Annotated[
        bool, typer.Option("--insecure-plaintext", help="Listen beyond the loopback for everybody, unencrypted.")
    ] = False,
) -> None:
    """Take deviations from agents, store them, feed those who follow.

    Prints the address on standard error once it listens. Ends in order on SIGTERM or SIGINT. Beyond the loopback it
    needs the three --tls-... files (docs/access.md), and reads them again when they change.
    """
    # gRPC writes a line for every failed handshake, as many as a stranger likes; `access.handshakes` counts them
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from driftline_collector.access_ports import Security
    from driftline_collector.retention import Keep
    from driftline_collector.sentinel import Watching
    from driftline_collector.server import Looking, run
    from driftline_collector.storage import Keeping
    from driftline_collector.store_address import parse_store

    security = Security(TlsPaths(tls_client_ca, tls_cert, tls_key), token_listen, insecure_plaintext)
    keeping = Keeping(parse_store(store, store_password_file), Keep(keep_days, keep_bytes))
    looking = Looking(http, Watching(silent_after, degraded_losses))
    run(listen, state, security, _read(outputs), keeping, looking)


def _read(outputs: Path | None) -> OutputsFile | None:
    if outputs is None:
        return None
    from driftline_collector.outputs.configfile import read_outputs

    return read_outputs(outputs)
