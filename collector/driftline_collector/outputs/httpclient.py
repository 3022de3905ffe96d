"""POST to one URL, over one connection that is kept.

In: a body. Out: the receiver's answer, or which way it failed. Why no redirect is followed: a header with a secret must
reach nobody but whom the configuration names. Why the standard library: one request at a time from a thread of its own
needs nothing more. Next: ``webhook``, ``otlphttp``.
"""

from __future__ import annotations

import email.utils
import gzip
import http.client
import re
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from driftline import __version__
from driftline.errors import SettingsError
from driftline.text import escape
from driftline_collector.outputs.sending import Refused, Unavailable
from driftline_collector.outputs.tls import Tls, read_limited

ANSWER_BYTES = 64 * 1024
"""Most of an answer that is read: OTLP's is some bytes, and an error page says enough in its first line."""

SECRET_BYTES = 64 * 1024
"""Largest file with headers or a URL."""

REFUSING = frozenset({400, 413, 422})
"""Answers about the content: the same will never be taken. Others (401, 404, 500) may be, once somebody mended it."""

GZIP_LEVEL = 5

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)[ \t]*")
_URL = re.compile(r"[\x21-\x7e]{1,8192}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to, and with what: a URL, or a file that holds one; a file with headers; TLS; seconds a step may take."""

    url: str
    url_file: str
    headers_file: str
    tls: Tls
    seconds: float
    compress: bool

    def read_url(self) -> SplitResult:
        """Return the URL. Raises SettingsError, which never shows a URL that came from a file."""
        if not self.url_file:
            return split_url(self.url)
        text = _secret(self.url_file).strip()
        try:
            return split_url(text)
        except SettingsError as error:
            raise SettingsError(f"{escape(self.url_file)} holds no URL: {_reason(error)}", error.hint) from None

    def read_headers(self) -> dict[str, str]:
        """Return the headers of the file, one "Name: value" per line. Raises SettingsError naming the line only."""
        if not self.headers_file:
            return {}
        headers = {}
        for number, line in enumerate(_secret(self.headers_file).replace("\r\n", "\n").split("\n"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            match = _HEADER.fullmatch(line)
            if match is None:
                raise SettingsError(f"{escape(self.headers_file)}, line {number}: no header", "write `Name: value`")
            headers[match[1]] = match[2]
        return headers


def split_url(url: str) -> SplitResult:
    """Return the parts of ``url``. Raises SettingsError if it is none that can be posted to."""
    try:
        parts = urlsplit(url)
        good = bool(_URL.fullmatch(url) and parts.hostname and parts.port != 0)
    except ValueError:
        good = False
    if not good or parts.scheme not in ("http", "https"):
        raise SettingsError("not a URL of http or https", "write https://HOST[:PORT]/PATH")
    if parts.username is not None or parts.password is not None:
        raise SettingsError("a URL with a password", "put `Authorization: …` into a file and name it in headers_file")
    if parts.fragment:
        raise SettingsError("a URL with a '#'")
    return parts


class HttpClient:
    """Posts to ``endpoint``. Not for several threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: http.client.HTTPConnection | None = None
        self._to = ("", "", 0)

    def post(self, body: bytes, content_type: str) -> bytes:
        """Return the beginning of the answer of a receiver that took ``body``. Raises Unavailable or Refused."""
        try:
            url, extra = self._endpoint.read_url(), self._endpoint.read_headers()
        except SettingsError as error:  # a file that is being replaced, perhaps
            raise Unavailable(_reason(error)) from error
        headers = {"User-Agent": f"driftline/{__version__}", "Accept": "*/*", **extra, "Content-Type": content_type}
        if self._endpoint.compress:
            body = gzip.compress(body, GZIP_LEVEL)
            headers["Content-Encoding"] = "gzip"
        where = f"{url.scheme}://{url.netloc}"
        try:
            status, answer, after = self._exchange(url, body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Unavailable(f"{where}: {_what(error)}") from error
        if 200 <= status < 300:
            return answer
        said = f"{where} answers {status} {answer.decode('utf-8', 'replace')}"
        raise Refused(said) if status in REFUSING else Unavailable(said, after)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _exchange(self, url: SplitResult, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, float]:
        """Return status, beginning of the answer, seconds to wait. Tries twice if a kept connection had been closed."""
        kept = self._connect(url)
        try:
            return self._once(url, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.close()
            if not kept:
                raise
        self._connect(url)
        return self._once(url, body, headers)

    def _connect(self, url: SplitResult) -> bool:
        """Have a connection; return whether it is one that was kept."""
        to = (url.scheme, url.hostname or "", url.port or 0)
        if self._connection is not None and self._to == to:
            return True
        self.close()
        self._to = to
        seconds = self._endpoint.seconds
        if url.scheme == "https":
            context = self._endpoint.tls.context()
            self._connection = http.client.HTTPSConnection(to[1], url.port, timeout=seconds, context=context)
        else:
            self._connection = http.client.HTTPConnection(to[1], url.port, timeout=seconds)
        return False

    def _once(self, url: SplitResult, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, float]:
        assert self._connection is not None
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._connection.request("POST", target, body, headers)
        response = self._connection.getresponse()
        answer = response.read(ANSWER_BYTES)
        if not response.isclosed():  # more than we read: the connection cannot be used again
            self.close()
        return response.status, answer, _seconds(response.headers.get("Retry-After", ""))


def _secret(name: str) -> str:
    try:
        return read_limited(name, SECRET_BYTES).decode("ascii")
    except OSError as error:
        raise SettingsError(f"{escape(name)} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{escape(name)} holds other than ASCII text") from None


def _seconds(text: str) -> float:
    """Return what Retry-After asks for (RFC 9110, section 10.2.3), 0 if nothing that can be understood."""
    if text.isascii() and text.isdigit():
        return float(text[:6])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _what(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _reason(error: SettingsError) -> str:
    return str(error.args[0])
