"""What the outputs file may say.

In: plain values. Out: checked models, one per kind of output. Why secrets are named and not written: the file then may
lie in git, and no error, log or process list can show one. Each field's description is its entry in docs/outputs.md.
Next: ``configfile`` reads them, ``build`` makes senders of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from driftline.errors import SettingsError
from driftline.nouns import Kind, Severity
from driftline_collector.filters import FILTER_KINDS
from driftline_collector.outputs import syslog
from driftline_collector.outputs.formats import Format
from driftline_collector.outputs.httpclient import split_url
from driftline_collector.outputs.syslogout import Address
from driftline_collector.outputs.tls import Tls
from driftline_collector.outputs.webhook import Body

OUTPUTS = 16
"""Most outputs of one collector: each is a thread that reads the whole store."""

BATCH = 256
"""Most deviations in one message: as many as are read at a time."""

SYSLOG_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
"""Where the address names none (RFC 5426, RFC 6587, RFC 5425)."""

UDP_OCTETS = 2048
"""Greatest size over UDP unless it is set: what RFC 5424 wants every receiver to take."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+$")]
Seconds = Annotated[float, Field(ge=0.1, le=120)]
Batch = Annotated[int, Field(ge=1, le=BATCH)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsFiles(_Model):
    """PEM files for TLS."""

    ca_file: FileName | None = None
    cert_file: FileName | None = None
    key_file: FileName | None = None

    @model_validator(mode="after")
    def _pair(self) -> TlsFiles:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        return self

    def names(self) -> Tls:
        """Return the names, "" for what is not given."""
        return Tls(self.ca_file or "", self.cert_file or "", self.key_file or "")


class Output(_Model):
    """What every output has."""

    name: Name
    severity: Severity = Severity.INFO
    kinds: tuple[str, ...] = Field((), max_length=FILTER_KINDS)
    namespace: str = Field("", max_length=253)
    start: Literal["new", "all"] = "new"
    updates: bool = True
    silenced: bool = False
    max_lag: int = Field(0, ge=0)

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        for text in kinds:
            if not any(kind == text or kind.startswith(f"{text}.") for kind in Kind):
                raise ValueError(f"no kind of deviation is called {text[:64]!r}")
        return kinds


class FileOutput(Output):
    """JSON lines in a file."""

    type: Literal["file"]
    path: FileName
    format: Format = Format.JSON
    rotate_mib: int = Field(100, ge=0, le=1024 * 1024)
    keep: int = Field(5, ge=0, le=1000)
    fsync: Literal["batch", "never"] = "batch"

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: str) -> str:
        if not Path(path).is_absolute():
            raise ValueError("write the whole path, from /")
        return path


class SyslogOutput(Output):
    """Syslog messages."""

    type: Literal["syslog"]
    to: str = Field(max_length=512)
    facility: str = "authpriv"
    body: syslog.Body = syslog.Body.SENTENCE
    max_bytes: int | None = Field(None, ge=syslog.SMALLEST, le=65_000)
    enterprise: int = Field(32473, ge=1, le=2**32 - 1)
    timeout_seconds: Seconds = 10.0
    tls: TlsFiles = TlsFiles()

    @field_validator("facility")
    @classmethod
    def _facility(cls, facility: str) -> str:
        if facility not in syslog.FACILITIES:
            raise ValueError(f"one of {', '.join(syslog.FACILITIES)}")
        return facility

    @field_validator("to")
    @classmethod
    def _address(cls, to: str) -> str:
        address(to)
        return to

    def size(self) -> int:
        """Return the greatest size of a message in octets."""
        return self.max_bytes or (UDP_OCTETS if address(self.to).scheme == "udp" else 4 * UDP_OCTETS)


class _Http(Output):
    """What goes to a URL."""

    url: str = ""
    url_file: FileName | None = None
    headers_file: FileName | None = None
    timeout_seconds: Seconds = 10.0
    compression: Literal["none", "gzip"] = "none"
    tls: TlsFiles = TlsFiles()

    @field_validator("url")
    @classmethod
    def _url(cls, url: str) -> str:
        try:
            split_url(url)
        except SettingsError as error:
            raise ValueError(f"{error.args[0]}; {error.hint}" if error.hint else str(error.args[0])) from None
        return url

    @model_validator(mode="after")
    def _one_url(self) -> _Http:
        if bool(self.url) == bool(self.url_file):
            raise ValueError("give url, or url_file if the URL is a secret")
        return self


class WebhookOutput(_Http):
    """JSON by HTTP POST."""

    type: Literal["webhook"]
    format: Format = Format.JSON
    body: Body = Body.ARRAY
    batch: Batch = 100


class FalcoOutput(_Http):
    """Falco's JSON by HTTP POST, one event each: falcosidekick."""

    type: Literal["falco"]


class OtlpOutput(_Http):
    """OpenTelemetry logs."""

    type: Literal["otlp"]
    protocol: Literal["grpc", "http"] = "grpc"
    format: Literal["attributes", "ocsf"] = "attributes"
    batch: Batch = 100


AnyOutput = Annotated[FileOutput | SyslogOutput | WebhookOutput | FalcoOutput | OtlpOutput, Field(discriminator="type")]


class OutputsFile(_Model):
    """The whole file."""

    outputs: tuple[AnyOutput, ...] = Field(max_length=OUTPUTS)

    @model_validator(mode="after")
    def _distinct(self) -> OutputsFile:
        if not self.outputs:
            raise ValueError("no output")
        for what in ("name", "path"):
            values = [getattr(one, what) for one in self.outputs if hasattr(one, what)]
            twice = {value for value in values if values.count(value) > 1}
            if twice:
                raise ValueError(f"two outputs have the {what} {sorted(twice)[0]!r}")
        return self


def address(text: str) -> Address:
    """Return where ``text`` points: udp://HOST[:PORT], tcp://…, tls://… or unix:PATH. Raises ValueError."""
    if text.startswith("unix:/"):
        return Address("unix", path="/" + text.removeprefix("unix:").lstrip("/"))
    parts = urlsplit(text)
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None
    if parts.scheme not in SYSLOG_PORTS or not parts.hostname or extra or not text.isascii():
        raise ValueError("write udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or unix:/dev/log")
    return Address(parts.scheme, parts.hostname, parts.port or SYSLOG_PORTS[parts.scheme])
