"""TLS towards receivers.

In: names of PEM files. Out: a context that verifies the receiver's certificate and name, always. Why files are read for
each connection: certificates are renewed while the collector runs. Next: ``syslogout``, ``httpclient``, ``otlpgrpc``.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple

from driftline.errors import SettingsError
from driftline.text import escape

PEM_BYTES = 1024 * 1024
"""Largest PEM file read: a bundle of every public CA has a quarter of it."""


class Tls(NamedTuple):
    """PEM files: the CA to trust (empty: the system's), our certificate and its key (empty: none)."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def context(self) -> ssl.SSLContext:
        """Return a context for one connection. Raises OSError (ssl.SSLError too) if a file is not what it should be."""
        context = ssl.create_default_context(cafile=self.ca_file or None)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
        return context

    def read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Return the content of CA, key and certificate files, as gRPC wants them. Raises OSError."""
        names = (self.ca_file, self.key_file, self.cert_file)
        ca, key, certificate = (read_limited(name, PEM_BYTES) if name else None for name in names)
        return ca, key, certificate

    def check(self) -> None:
        """Raise SettingsError if the files cannot be used."""
        try:
            self.context()
        except OSError as error:
            names = escape(", ".join(name for name in self if name))
            raise SettingsError(
                f"{names}: no TLS with this: {error.strerror or error}", "PEM files are needed"
            ) from error


def read_limited(name: str, limit: int) -> bytes:
    """Return the content of file ``name``. Raises OSError, also for one larger than ``limit`` bytes."""
    with Path(name).open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(0, f"larger than {limit} bytes", name)
    return content


def _no_password() -> str:
    """An encrypted key must fail, and not ask on a terminal that nobody watches."""
    raise ssl.SSLError("the key is encrypted")
