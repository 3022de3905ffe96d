"""What a server is to the measurements: packages, configuration, how it starts, what is asked of it.

In: nothing. Out: ``Server``, one of each is in a module of this package; actions several servers share. An action is a
client's request, a cron job, an operator's deed: it gets a running server and a source of chance. Next: ``image`` makes
the container image, ``stand`` runs it.
"""

from __future__ import annotations

import datetime
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

BACKEND_PORT = 9000
"""On the host's end of the network: what proxies pass requests to and applications call."""
TLS = "/tls"
"""Volume with a key and its certificate, swapped as the kubelet swaps a Secret."""
REQUEST_SECONDS = 20.0
_KEPT = 2  # dated directories of a Secret volume: the kubelet removes the one before
_CONTEXT = ssl.create_default_context()
_CONTEXT.check_hostname = False
_CONTEXT.verify_mode = ssl.CERT_NONE


class Running(Protocol):
    """A container of a server, as actions see it."""

    address: str

    def order(self, line: str) -> None:
        """Have the container's own shell run a line, and wait."""

    def signal(self, number: int) -> None:
        """Send a signal to the server's first process."""

    def probe(self, argv: Sequence[str]) -> None:
        """Run a program in the container as an orchestrator's exec probe does."""

    def volume(self, path: str) -> Path:
        """The host's directory of a volume."""


Action = Callable[[Running, Random], None]


@dataclass(frozen=True, kw_only=True)
class Server:
    """``start`` runs in the foreground; ``user``: who (needs a numeric or known name in the image); ``ready``: raises
    OSError until it answers; ``rounds``: each is done again and again; ``jobs``: done now and then, by name;
    ``inside``: jobs of the container's own shell, as cron or an operator runs them there."""

    name: str
    packages: Sequence[str]
    start: Sequence[str]
    ready: Action
    rounds: Sequence[Action]
    jobs: Mapping[str, Action] = field(default_factory=dict)
    inside: Mapping[str, Action] = field(default_factory=dict)
    user: str = ""
    files: Mapping[str, str] = field(default_factory=dict)  # of the image, added to the packages'
    edits: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # in files of the packages: text, new text
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Sequence[str] = ()  # what the image has there is copied, as Docker does; else they are its user's
    data: str = "/tmp"  # a directory it writes to, for attacks


# --- jobs every Debian container may have -----------------------------------------------------------------------------


def daily(running: Running, _chance: Random) -> None:
    """The packages' cron jobs, as Debian's crontab runs them."""
    running.order("cd / && run-parts --report /etc/cron.daily")


def rotate_logs(running: Running, _chance: Random) -> None:
    """Log rotation by the packages' own rules."""
    running.order("/usr/sbin/logrotate -f /etc/logrotate.conf")


JOBS: dict[str, Action] = {"package cron": daily, "log rotation": rotate_logs}


# --- clients ----------------------------------------------------------------------------------------------------------


def http(running: Running, port: int, path: str, body: bytes | None = None, *, tls: bool = False) -> bytes:
    """Ask over HTTP; an answer that is an error counts as one all the same."""
    url = f"{'https' if tls else 'http'}://{running.address}:{port}{path}"
    request = urllib.request.Request(url, data=body, headers={"User-Agent": "client", "Accept-Encoding": "gzip"})
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS, context=_CONTEXT if tls else None) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        error.close()
        return b""


# --- a Secret volume --------------------------------------------------------------------------------------------------


def swap_certificate(directory: Path, owner: int = 0) -> None:
    """Put a new key and certificate in ``directory`` as the kubelet does: a dated directory, and a link to it."""
    dated = directory / f"..{datetime.datetime.now(datetime.UTC):%Y_%m_%d_%H_%M_%S}.{Random().randrange(10**9, 10**10)}"
    dated.mkdir()
    key, certificate = dated / "tls.key", dated / "tls.crt"
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9", "-subj", "/CN=server")
    command = ("openssl", "req", "-x509", *new, "-keyout", key, "-out", certificate)
    subprocess.run(command, check=True, capture_output=True)
    (dated / "both.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
    for file in (dated, *dated.iterdir()):
        shutil.chown(file, owner, owner)
        file.chmod(0o755 if file.is_dir() else 0o600)
    fresh = directory / "..data_tmp"
    fresh.symlink_to(dated.name)
    fresh.rename(directory / "..data")
    for name in ("tls.key", "tls.crt", "both.pem"):
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    for old in sorted(directory.glob("..2*"), key=lambda one: one.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(old)
