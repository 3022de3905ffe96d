"""Where the collector listens, and what it asks of whoever connects there.

In: addresses, paths, a flag. Out: the server's ports, or a SettingsError if they would let in anybody from elsewhere.
Two ports, because gRPC's Python server cannot ask for a certificate without insisting on one: agents and people with
certificates come to the first, people with tokens to the second. Certificates are read again when they change: gRPC
asks before each handshake. Next: ``server`` binds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

from driftline.errors import SettingsError
from driftline.text import escape
from driftline.wire.address import Address, parse_address
from driftline.wire.credentials_files import TlsFiles, TlsPaths, WatchedFiles

SHOUT = "WARNING: --insecure-plaintext: {} is not encrypted and asks nobody who he is: anybody there reads and forges"


class Security(NamedTuple):
    """What the collector was given. ``tls.ca`` is the CA of its clients; ``token_listen`` is HOST:PORT or empty."""

    tls: TlsPaths = TlsPaths()
    token_listen: str = ""
    insecure_plaintext: bool = False


PLAINTEXT = Security()


class Ports:
    """The ports of one server. Raises SettingsError if the settings do not fit each other or a file is wrong."""

    def __init__(self, listen: str, security: Security = PLAINTEXT) -> None:
        self._main = _numeric(parse_address(listen))
        self._tokens = _numeric(parse_address(security.token_listen)) if security.token_listen else None
        self.encrypted = any(security.tls)
        self._check(security)
        self._files = WatchedFiles(security.tls) if self.encrypted else None
        self.handshakes = 0

    def _check(self, security: Security) -> None:
        tls = security.tls
        if self.encrypted:
            if security.insecure_plaintext:
                raise SettingsError("--insecure-plaintext and --tls-... exclude each other")
            if not tls.cert or not tls.key:
                raise SettingsError("the collector needs a certificate and its key", "--tls-cert and --tls-key")
            if not tls.ca:
                raise SettingsError("no CA is named for the certificates of agents and readers", "--tls-client-ca FILE")
        elif self._tokens is not None:
            raise SettingsError("tokens need an encrypted port", "--tls-cert, --tls-key and --tls-client-ca")
        elif not self._main.loopback and not security.insecure_plaintext:
            message = f"{self._main.host} is not a loopback address: agents and readers must prove who they are"
            raise SettingsError(message, "--tls-cert, --tls-key and --tls-client-ca (docs/access.md)")

    @property
    def warnings(self) -> list[str]:
        """What must be said at every start and to everybody who lists the agents."""
        return [] if self.encrypted or self._main.loopback else [SHOUT.format(self._main)]

    def bind(self, server: Any) -> tuple[str, str]:
        """Open the ports; return both addresses with their real ports, the second empty without tokens."""
        if self._files is None:
            return _bind(self._main, server.add_insecure_port), ""
        main = _bind(self._main, lambda text: server.add_secure_port(text, self._credentials(self._files, True)))
        if self._tokens is None:
            return main, ""
        return main, _bind(
            self._tokens, lambda text: server.add_secure_port(text, self._credentials(self._files, False))
        )

    def _credentials(self, files: WatchedFiles | None, certificates: bool) -> Any:
        assert files is not None
        used = files.current()

        def fetch() -> Any:  # in a thread of gRPC's, before each handshake
            nonlocal used
            self.handshakes += 1
            now = files.current()
            if now == used:
                return None
            used = now
            return _configuration(now, certificates)

        return grpc.dynamic_ssl_server_credentials(_configuration(used, certificates), fetch, certificates)


def _configuration(files: TlsFiles, certificates: bool) -> Any:
    return grpc.ssl_server_certificate_configuration([(files.key, files.cert)], files.ca if certificates else None)


def _bind(address: Address, add: Callable[[str], int]) -> str:
    try:
        port = add(str(address))
    except RuntimeError as error:
        message = f"cannot listen on {escape(str(address))}"
        raise SettingsError(message, "another process may listen there: choose another --listen") from error
    return str(address._replace(port=port))


def _numeric(address: Address) -> Address:
    """What to listen on is an address of this machine, not what a name server says."""
    if address.host == "localhost":
        return Address("127.0.0.1", address.port)
    if address.host.replace(".", "").isdigit() or ":" in address.host:
        return address
    raise SettingsError(f"'{address.host}' is not an IP address of this machine", "--listen 0.0.0.0:4780 for all")
