"""How a command reaches a collector: the options for that, the same everywhere.

In: what typer parsed. Out: a client. Next: ``silence``, ``agents``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import typer

from driftline.wire.client import CollectorClient
from driftline.wire.credentials import SHOUT, TOKEN_VARIABLE, Credentials, Link, read_token
from driftline.wire.credentials_files import TlsPaths

CollectorOption = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="The collector; after commas: who is asked when it fails.")
]
CaOption = Annotated[str, typer.Option(metavar="FILE", help="PEM file with the CA of the collector.")]
CertOption = Annotated[str, typer.Option(metavar="FILE", help="PEM file with your certificate.")]
KeyOption = Annotated[str, typer.Option(metavar="FILE", help="PEM file with its private key.")]
TokenOption = Annotated[
    str, typer.Option(metavar="FILE", help=f"File with your token. Without: {TOKEN_VARIABLE}, if set.")
]
PlaintextOption = Annotated[bool, typer.Option("--insecure-plaintext", help="Reach another machine unencrypted.")]


class Reaching(NamedTuple):
    """What the options said."""

    collector: str
    tls_ca: str
    tls_cert: str
    tls_key: str
    token_file: str
    insecure_plaintext: bool

    @contextmanager
    def client(self) -> Iterator[CollectorClient]:
        """Return a client, closed at the end. Raises SettingsError or AccessError."""
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # what fails, we say ourselves
        paths = TlsPaths(self.tls_ca, self.tls_cert, self.tls_key)
        link = Link(self.collector, Credentials(paths, read_token(self.token_file), self.insecure_plaintext))
        if link.plaintext_abroad:
            print(f"driftline: {SHOUT.format(link.target)}", file=sys.stderr, flush=True)
        client = CollectorClient(link)
        try:
            yield client
        finally:
            client.close()
