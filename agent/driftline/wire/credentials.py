"""How a client proves who it is, and what it asks of the collector.

In: paths, a token, a flag. Out: a ``Link``: address and credentials that fit each other, or a SettingsError. Why here:
agent and people follow the same rules, of which the first is that nothing leaves the machine unencrypted unless
somebody said so. Next: ``client`` makes a channel of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from driftline.errors import SettingsError
from driftline.text import escape
from driftline.wire.address import Address, parse_addresses
from driftline.wire.credentials_files import NO_FILES, TlsFiles, TlsPaths, WatchedFiles

TOKEN_BYTES = 4096
"""Largest token file: ours are 47 bytes."""

TOKEN_VARIABLE = "DRIFTLINE_TOKEN"
"""Environment variable with a bearer token. Never an argument: every process of the host can read those."""

SHOUT = "WARNING: --insecure-plaintext: everything to and from {} travels unencrypted, and nobody proves who he is"
"""What is said at every start."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client was given. ``token`` is a secret and not shown."""

    paths: TlsPaths = NO_FILES
    token: str = field(default="", repr=False)
    insecure_plaintext: bool = False


PLAINTEXT = Credentials()


class Link:
    """The way to the collector at ``target``, or to one of several, in turn: HOST:PORT,HOST:PORT.

    One address is in use at a time, until ``advance``. Raises SettingsError if target and credentials do not fit.
    """

    def __init__(self, target: str, credentials: Credentials = PLAINTEXT) -> None:
        self._addresses = parse_addresses(target)
        self._place = 0
        if not all(address.port for address in self._addresses):
            raise SettingsError(f"nothing listens on port 0 of {target}", "give the port the collector printed")
        self.token = credentials.token
        self.tls = any(credentials.paths)
        self._check(credentials)
        self._files = WatchedFiles(credentials.paths) if self.tls else None
        if not self.tls:  # whatever a resolver says
            self._addresses = tuple(
                Address("127.0.0.1", address.port) if address.host == "localhost" else address
                for address in self._addresses
            )

    def _check(self, credentials: Credentials) -> None:
        paths = credentials.paths
        if self.tls:
            if credentials.insecure_plaintext:
                raise SettingsError("--insecure-plaintext and --tls-... exclude each other")
            if not paths.ca:
                raise SettingsError("no CA is named for the collector's certificate", "--tls-ca FILE")
            if bool(paths.cert) != bool(paths.key):
                raise SettingsError("certificate and key belong together", "give both --tls-cert and --tls-key")
            if not paths.cert and not self.token:
                hint = f"--tls-cert and --tls-key, or --token-file (or {TOKEN_VARIABLE}) on the port for tokens"
                raise SettingsError("neither a certificate nor a token says who you are", hint)
        elif abroad := [address.host for address in self._addresses if not address.loopback]:
            self._check_off_loopback(abroad[0], credentials)

    def _check_off_loopback(self, host: str, credentials: Credentials) -> None:
        if not credentials.insecure_plaintext:
            message = f"{host} is not a loopback address: the connection must be encrypted"
            raise SettingsError(message, "--tls-ca, --tls-cert and --tls-key (docs/access.md)")
        if self.token:
            raise SettingsError(
                "a token is never sent unencrypted to another machine", "--tls-ca FILE (docs/access.md)"
            )

    @property
    def address(self) -> Address:
        """The one in use."""
        return self._addresses[self._place]

    @property
    def choices(self) -> int:
        """How many addresses there are."""
        return len(self._addresses)

    def advance(self) -> None:
        """Use the next address from now on; after the last comes the first."""
        self._place = (self._place + 1) % len(self._addresses)

    @property
    def target(self) -> str:
        """HOST:PORT of the address in use, in the form gRPC takes."""
        return str(self.address)

    @property
    def plaintext_abroad(self) -> bool:
        """Whether what is sent can be read by others, at any of the addresses."""
        return not self.tls and not all(address.loopback for address in self._addresses)

    @property
    def paths(self) -> TlsPaths:
        """Where the files are; empty without TLS."""
        return self._files.paths if self._files else NO_FILES

    def files(self) -> TlsFiles | None:
        """Return the last good files, newly read if they changed; None without TLS."""
        return self._files.current() if self._files else None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()


def read_token(path: str) -> str:
    """Return the token in the file at ``path``, or with an empty path the one in the environment, or "".

    Raises SettingsError, which never quotes the content.
    """
    if not path:
        return _plain_token(os.environ.get(TOKEN_VARIABLE, ""), TOKEN_VARIABLE)
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o007:
                message = f"token file {escape(path)} can be read by others"
                raise SettingsError(message, f"chmod 600 {escape(path)}, and better make a new token")
            text = file.read(TOKEN_BYTES).decode("ascii", "replace")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise SettingsError(f"token file {escape(path)} cannot be read: {reason}") from error
    if not text.strip():
        raise SettingsError(f"token file {escape(path)} is empty")
    return _plain_token(text, f"token file {escape(path)}")


def _plain_token(text: str, where: str) -> str:
    token = text.strip()
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise SettingsError(f"{where} holds no token", "one line, as `driftline collector tokens add` wrote it")
    return token
