"""How a command reaches a collector: the options for that, the same everywhere.

In: what typer parsed. Out: a client. Next: ``tail``, ``silence``, ``agents``.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NamedTuple, get_type_hints

import typer

from driftline.wire.address import DEFAULT_COLLECTOR
from driftline.wire.client import CollectorClient
from driftline.wire.credentials import SHOUT, TOKEN_VARIABLE, Credentials, Link, read_token
from driftline.wire.credentials_files import TlsPaths

_Collector = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="The collector; after commas: who is asked when it fails.")
]
_Ca = Annotated[str, typer.Option(metavar="FILE", help="PEM file with the CA of the collector.")]
_Cert = Annotated[str, typer.Option(metavar="FILE", help="PEM file with your certificate.")]
_Key = Annotated[str, typer.Option(metavar="FILE", help="PEM file with its private key.")]
_Token = Annotated[str, typer.Option(metavar="FILE", help=f"File with your token. Without: {TOKEN_VARIABLE}, if set.")]
_Plaintext = Annotated[bool, typer.Option("--insecure-plaintext", help="Reach another machine unencrypted.")]


class Reaching(NamedTuple):
    """What the options said."""

    collector: _Collector = DEFAULT_COLLECTOR
    tls_ca: _Ca = ""
    tls_cert: _Cert = ""
    tls_key: _Key = ""
    token_file: _Token = ""
    insecure_plaintext: _Plaintext = False

    def link(self) -> Link:
        """Return whom to ask, with what; plain text abroad is said. Raises SettingsError or AccessError."""
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # what fails, we say ourselves
        paths = TlsPaths(self.tls_ca, self.tls_cert, self.tls_key)
        link = Link(self.collector, Credentials(paths, read_token(self.token_file), self.insecure_plaintext))
        if link.plaintext_abroad:
            print(f"driftline: {SHOUT.format(link.target)}", file=sys.stderr, flush=True)
        return link

    @contextmanager
    def client(self) -> Iterator[CollectorClient]:
        """Return a client, closed at the end. Raises SettingsError or AccessError."""
        client = CollectorClient(self.link())
        try:
            yield client
        finally:
            client.close()


def with_collector(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the options by which a collector is reached; it is called with ``reaching=Reaching``."""
    own = [one for name, one in inspect.signature(command, eval_str=True).parameters.items() if name != "reaching"]
    hints = get_type_hints(Reaching, include_extras=True)

    def run(**given: Any) -> None:
        command(reaching=Reaching(**{name: given.pop(name) for name in Reaching._fields}), **given)

    kind = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(name, kind, default=Reaching._field_defaults[name], annotation=hints[name])
        for name in Reaching._fields
    ]
    run.__signature__ = inspect.Signature([*(one.replace(kind=kind) for one in own), *options])  # type: ignore[attr-defined]
    run.__doc__ = command.__doc__
    return run
