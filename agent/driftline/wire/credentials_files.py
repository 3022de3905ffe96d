"""Certificate, key and CA of one side, from files, checked before anybody relies on them.

In: paths. Out: their bytes, or a SettingsError that says which file is wrong and how; ``WatchedFiles`` reads them again
when they change and keeps the last good ones. Why checked here: what gRPC says about a wrong file, or about a
certificate that expired, is next to nothing. A key never appears in an error. Next: ``credentials`` on the client's
side, the collector's ``access_ports`` on the other.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from datetime import UTC, datetime
from typing import NamedTuple

from driftline.errors import SettingsError
from driftline.text import escape
from driftline.wire.credentials_dates import validities

FILE_BYTES = 256 * 1024
"""Largest file read: a bundle of a hundred CA certificates is 200 KiB."""

READINGS = 5
"""Attempts to read files that are being replaced: certificate and key must be of the same moment."""

TOO_OPEN = stat.S_IRWXO | stat.S_IWGRP  # the group may read: that is how Kubernetes and ssl-cert share a key
_log = logging.getLogger(__name__)


class TlsPaths(NamedTuple):
    """Paths of PEM files. ``ca``: whom to believe; ``cert`` and ``key``: who we are. Empty where there is none."""

    ca: str = ""
    cert: str = ""
    key: str = ""


NO_FILES = TlsPaths()


class TlsFiles(NamedTuple):
    """What was in them, and when our certificate ends."""

    ca: bytes
    cert: bytes
    key: bytes
    ends: datetime | None

    def __repr__(self) -> str:
        """Say nothing of the contents, wherever this ends up."""
        return f"TlsFiles(ends={self.ends})"


def read_tls_files(paths: TlsPaths) -> TlsFiles:
    """Read and check. Raises SettingsError for a file that is missing, unreadable, of another kind, expired, or a key
    that is open to everybody or belongs to another certificate."""
    for _ in range(READINGS):
        before = stamp(paths)
        files = _read_once(paths)
        if stamp(paths) == before:
            return files
    raise SettingsError(f"{escape(paths.cert or paths.ca)} and the files beside it are being changed all the time")


def _read_once(paths: TlsPaths) -> TlsFiles:
    ca = _certificates("CA certificate", paths.ca) if paths.ca else b""
    if not paths.cert:
        return TlsFiles(ca, b"", b"", None)
    cert = _certificates("certificate", paths.cert)
    key = _key(paths.key)
    _check_pair(paths)
    return TlsFiles(ca, cert, key, validities(cert)[0].ends)


def _certificates(what: str, path: str) -> bytes:
    """Return the file's PEM text; the first certificate in it must be valid now."""
    pem = _read(what, path)
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise SettingsError(
            f"{what} {escape(path)} holds {_instead(pem)}", "give a PEM file: -----BEGIN CERTIFICATE-----"
        )
    try:
        first = validities(pem)[0]
    except (ValueError, IndexError):
        raise SettingsError(f"{what} {escape(path)} is damaged: it is no X.509 certificate in PEM") from None
    now = datetime.now(UTC)
    if now > first.ends:
        raise SettingsError(f"{what} {escape(path)} expired on {first.ends:%Y-%m-%d %H:%M} UTC", "issue a new one")
    if now < first.begins:
        message = f"{what} {escape(path)} is not valid before {first.begins:%Y-%m-%d %H:%M} UTC"
        raise SettingsError(message, f"check this machine's clock: it says {now:%Y-%m-%d %H:%M} UTC")
    return pem


def _key(path: str) -> bytes:
    pem = _read("key", path)
    if b"PRIVATE KEY-----" not in pem:
        raise SettingsError(f"key {escape(path)} holds {_instead(pem)}", "give a PEM file: -----BEGIN PRIVATE KEY-----")
    if b"ENCRYPTED" in pem:
        raise SettingsError(
            f"key {escape(path)} is locked with a passphrase", "nobody is there to type it: store it plain"
        )
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & TOO_OPEN:
        raise SettingsError(f"key {escape(path)} has mode {mode:04o}: others can use it", f"chmod 600 {escape(path)}")
    return pem


def _instead(pem: bytes) -> str:
    if b"PRIVATE KEY-----" in pem:
        return "a private key, not a certificate"
    if b"-----BEGIN CERTIFICATE-----" in pem:
        return "a certificate, not a private key"
    return "no PEM" if pem else "nothing"


def _read(what: str, path: str) -> bytes:
    if not path:
        raise SettingsError(f"no {what} is named", "certificate and key belong together: give both")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hold us up
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SettingsError(f"{what} {escape(path)} is not a regular file")
            data = file.read(FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise SettingsError(f"{what} {escape(path)} cannot be read: {reason}") from error
    if len(data) > FILE_BYTES:
        raise SettingsError(f"{what} {escape(path)} is larger than {FILE_BYTES // 1024} KiB")
    return data


def _check_pair(paths: TlsPaths) -> None:
    """Raise SettingsError unless the key is the certificate's. OpenSSL compares them."""
    import ssl  # over 1 MiB, which an agent that needs no certificate does not pay

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(paths.cert, paths.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            message = f"key {escape(paths.key)} does not belong to certificate {escape(paths.cert)}"
        else:
            message = f"certificate {escape(paths.cert)} or key {escape(paths.key)} is damaged ({error.reason})"
        raise SettingsError(message) from None
    except OSError as error:
        raise SettingsError(f"key {escape(paths.key)} cannot be read: {error.strerror}") from None


Stamp = tuple[tuple[int, ...], ...]


def stamp(paths: TlsPaths) -> Stamp:
    """Return what changes when a file is replaced or rewritten; follows links, as Kubernetes swaps one."""
    return tuple(_stamp(path) for path in paths)


def _stamp(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


class WatchedFiles:
    """The files of ``paths``, always the last good ones. Thread-safe. Raises SettingsError if the first are wrong."""

    def __init__(self, paths: TlsPaths) -> None:
        self.paths = paths
        self._stamp = stamp(paths)
        self._files = read_tls_files(paths)
        self._lock = threading.Lock()

    def current(self) -> TlsFiles:
        """Return the last good files, newly read if they changed. Wrong ones are told once, in the log."""
        with self._lock:
            now = stamp(self.paths)
            if now != self._stamp:
                self._stamp = now
                try:
                    self._files = read_tls_files(self.paths)
                except SettingsError as error:
                    _log.warning("%s; going on with the certificate read before", error.args[0])
            return self._files
