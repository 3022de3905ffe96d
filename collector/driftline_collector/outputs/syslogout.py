"""The ``syslog`` output: messages over UDP, TCP, TLS or a Unix socket.

In: batches. Out: messages. Why TCP waits until the other side's kernel has confirmed every octet: syslog has no
acknowledgement, and what a dying connection still held in our own buffers would be lost without a word. What the
receiver itself had not read yet is lost all the same when it crashes: docs/outputs.md says so. Sources: RFC 6587,
section 3.4.1 (octet counting), RFC 5425 (TLS), RFC 5426 (UDP); SIOCOUTQ in tcp(7). Next: a syslog server.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline_collector.outputs.sending import Taken, Unavailable
from driftline_collector.outputs.syslog import SyslogFormat
from driftline_collector.outputs.tls import Tls

_LOOK_SECONDS = 0.005  # between looks whether everything is confirmed: on a local network it is at the first


@dataclass(frozen=True, slots=True)
class Address:
    """Where to: ``scheme`` is udp, tcp, tls or unix; ``path`` only for unix."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        """Return it as it is written in the configuration."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.path}" if self.scheme == "unix" else f"{self.scheme}://{host}:{self.port}"


class SyslogSender:
    """Sends messages to ``address``; ``seconds`` bounds every wait."""

    batch_deviations = 128
    batch_bytes = 64 * 1024  # a slow receiver must take a whole batch within the time limit

    def __init__(self, address: Address, form: SyslogFormat, tls: Tls, seconds: float) -> None:
        self._address = address
        self._format = form
        self._tls = tls
        self._seconds = seconds
        self._socket: socket.socket | None = None

    def send(self, batch: Sequence[pb.StoredDeviation]) -> Taken:
        """Send the batch. Raises Unavailable or RecordError."""
        messages = [self._format.message(item) for item in batch]
        try:
            connection = self._connection()
            if connection.type == socket.SOCK_DGRAM:
                for message in messages:
                    connection.send(message)
            else:
                connection.sendall(b"".join(map(self._framed, messages)))
                self._confirm(connection)
        except (OSError, ValueError) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unavailable(f"{self._address}: {reason}") from error
        return Taken()

    def reopen(self) -> None:
        """Nothing: there is no file."""

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _framed(self, message: bytes) -> bytes:
        if self._address.scheme == "unix":
            return message + b"\n"
        return str(len(message)).encode() + b" " + message

    def _connection(self) -> socket.socket:
        """Return a connection whose other end is still there."""
        if self._socket is not None and self._socket.type != socket.SOCK_DGRAM and _closed(self._socket):
            self.close()  # the server was restarted: no fault of anybody, and no failed attempt
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        if self._address.scheme == "unix":
            return self._connect_unix()
        kind = socket.SOCK_DGRAM if self._address.scheme == "udp" else socket.SOCK_STREAM
        found = socket.getaddrinfo(self._address.host, self._address.port, type=kind)
        if kind == socket.SOCK_DGRAM:
            return _opened(found[0][0], kind, found[0][4], self._seconds)
        plain = socket.create_connection((self._address.host, self._address.port), self._seconds)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._address.scheme == "tcp":
            return plain
        try:
            return self._tls.context().wrap_socket(plain, server_hostname=self._address.host)
        except BaseException:
            plain.close()
            raise

    def _connect_unix(self) -> socket.socket:
        """/dev/log is a datagram socket with rsyslog and journald, a stream with some others."""
        try:
            return _opened(socket.AF_UNIX, socket.SOCK_DGRAM, self._address.path, self._seconds)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:
                raise
        return _opened(socket.AF_UNIX, socket.SOCK_STREAM, self._address.path, self._seconds)

    def _confirm(self, connection: socket.socket) -> None:
        """Wait until the other side has every octet. Raises OSError if it went away or takes too long."""
        deadline = time.monotonic() + self._seconds
        while _unconfirmed(connection):
            if _closed(connection):
                raise ConnectionResetError("the receiver closed the connection")
            if time.monotonic() > deadline:
                raise TimeoutError("the receiver takes nothing")
            time.sleep(_LOOK_SECONDS)
        if _closed(connection):
            raise ConnectionResetError("the receiver closed the connection")


def _opened(family: int, kind: int, address: Any, seconds: float) -> socket.socket:
    opened = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    try:
        opened.settimeout(seconds)
        opened.connect(address)
    except BaseException:
        opened.close()
        raise
    return opened


def _unconfirmed(connection: socket.socket) -> int:
    """Octets the other side's kernel has not confirmed yet (SIOCOUTQ, the same number as TIOCOUTQ)."""
    if connection.family == socket.AF_UNIX:
        return 0
    return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0])


def _closed(connection: socket.socket) -> bool:
    """Whether the other side has ended the connection. Syslog servers never answer: what they say is thrown away."""
    seconds = connection.gettimeout()
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass
        return True
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(seconds)
