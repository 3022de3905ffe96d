"""``driftline collector``.

In: where to listen, with which certificate, and where to keep state. Out: a running collector, until SIGTERM or SIGINT.
Next: ``driftline_collector.server``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from driftline.wire.address import DEFAULT_COLLECTOR
from driftline.wire.credentials_files import TlsPaths

DEFAULT_STATE = Path("/var/lib/driftline-collector")


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
    from driftline_collector.server import run

    run(listen, state, Security(TlsPaths(tls_client_ca, tls_cert, tls_key), token_listen, insecure_plaintext))
