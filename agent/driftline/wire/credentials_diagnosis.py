"""Why a connection failed, in a sentence.

In: a link whose call just failed. Out: what is wrong with encryption or certificates on either side, or "" if nothing
is. Why a second connection: gRPC says "Socket closed" whenever the other side refuses a certificate, and the same when
one side speaks plain text; OpenSSL says which. Once per outage, bounded in time. Next: ``client`` adds it to its error.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from driftline.text import escape
from driftline.wire.credentials import Link

SECONDS = 2.0
"""For connecting, for the handshake, and for a first answer: a person waits for it."""

_HOSTNAME_MISMATCH, _IP_MISMATCH, _EXPIRED, _NOT_YET = 62, 64, 10, 9  # X509_V_ERR_... of OpenSSL's x509_vfy.h
_NO_ISSUER = {2, 7, 18, 19, 20, 21}
_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE"}


def diagnose(link: Link) -> str:
    """Return what keeps ``link`` from connecting, "" if it is nothing of TLS."""
    try:
        return _diagnose_tls(link) if link.tls else _diagnose_plaintext(link)
    except OSError:
        return ""  # nobody is there: the caller says so


def expired(link: Link) -> str:
    """Return that our certificate has expired, "" if it has not."""
    files = link.files()
    if files is None or files.ends is None or files.ends > datetime.now(UTC):
        return ""
    return f"our certificate {escape(link.paths.cert)} expired on {files.ends:%Y-%m-%d %H:%M} UTC"


def _diagnose_plaintext(link: Link) -> str:
    """Whoever answers a TLS hello in TLS does not want plain text."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _shake_hands(link, context):
            pass
    except ssl.SSLError as error:
        if error.reason is None or not error.reason.startswith(("TLS", "SSLV3_ALERT")):
            return ""
    return "it wants an encrypted connection: give --tls-ca, --tls-cert and --tls-key (docs/access.md)"


def _diagnose_tls(link: Link) -> str:
    if reason := expired(link):
        return reason
    paths = link.paths
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(paths.ca)
    if paths.cert:
        context.load_cert_chain(paths.cert, paths.key, password="")
    context.set_alpn_protocols(["h2"])
    try:
        with _shake_hands(link, context) as connection:
            _first_byte(connection)
    except ssl.SSLCertVerificationError as error:
        return _about_theirs(error, link)
    except ssl.SSLError as error:
        return _about_ours(error.reason or "", link)
    except ConnectionResetError:
        return _refused(link, "")
    return ""


@contextmanager
def _shake_hands(link: Link, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    host, port = link.address
    with socket.create_connection((host, port), SECONDS) as plain:
        plain.settimeout(SECONDS)
        with context.wrap_socket(plain, server_hostname=host) as encrypted:
            yield encrypted


def _first_byte(connection: ssl.SSLSocket) -> None:
    """Wait for it: in TLS 1.3 a refusal of our certificate comes after the handshake."""
    try:
        if not connection.recv(1):
            raise ConnectionResetError
    except TimeoutError:
        pass  # it has nothing to say, and nothing against us


def _about_theirs(error: ssl.SSLCertVerificationError, link: Link) -> str:
    host = escape(link.address.host)
    if error.verify_code in {_HOSTNAME_MISMATCH, _IP_MISMATCH}:
        return f"its certificate is for another name than {host}: issue it with --host {host}"
    if error.verify_code == _EXPIRED:
        return "its certificate has expired"
    if error.verify_code == _NOT_YET:
        return "its certificate is not valid yet: compare the clocks"
    if error.verify_code in _NO_ISSUER:
        return f"its certificate was not issued by the CA in {escape(link.paths.ca)}"
    return f"its certificate is not accepted: {escape(error.verify_message)}"


def _about_ours(reason: str, link: Link) -> str:
    if reason in _NOT_TLS:
        return "it does not speak TLS: the collector there listens in plain text"
    return _refused(link, reason.rpartition("ALERT_")[2].replace("_", " ").lower())


def _refused(link: Link, alert: str) -> str:
    because = f" ({escape(alert)})" if alert else ""
    if not link.paths.cert:
        return f"it wants a certificate{because}: --tls-cert and --tls-key, or the port for tokens"
    return f"it refuses our certificate {escape(link.paths.cert)}{because}: is it of a CA in its --tls-client-ca?"
