"""Senders from the configuration.

In: checked outputs. Out: a sender for each, the filter of what it is sent, and what a person should be warned of.
Next: ``manager`` runs them, ``driftline outputs check`` tries them.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import cast

from driftline.errors import SettingsError
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector.filters import DeviationFilter
from driftline_collector.outputs.config import (
    FalcoOutput,
    FileOutput,
    OtlpOutput,
    Output,
    OutputsFile,
    SyslogOutput,
    WebhookOutput,
    address,
)
from driftline_collector.outputs.formats import ENCODERS, Format
from driftline_collector.outputs.httpclient import Endpoint, HttpClient
from driftline_collector.outputs.jsonfile import STANDARD_OUTPUT, FileSender
from driftline_collector.outputs.otlpgrpc import OtlpGrpcSender
from driftline_collector.outputs.otlphttp import OtlpHttpSender
from driftline_collector.outputs.runner import Wanted
from driftline_collector.outputs.sending import Sender
from driftline_collector.outputs.syslog import SyslogFormat
from driftline_collector.outputs.syslogout import SyslogSender
from driftline_collector.outputs.webhook import Body, WebhookSender

_Http = WebhookOutput | FalcoOutput | OtlpOutput


def sender(output: Output) -> Sender:
    """Return the sender of ``output``. Raises SettingsError if a file it names cannot be used."""
    try:
        if isinstance(output, FileOutput):
            size = output.rotate_mib * 1024 * 1024
            encode = ENCODERS[output.format]
            return FileSender(Path(output.path), encode, size, output.keep, output.fsync == "batch")
        if isinstance(output, SyslogOutput):
            output.tls.names().check()
            form = SyslogFormat(output.facility, output.body, output.size(), output.enterprise)
            return SyslogSender(address(output.to), form, output.tls.names(), output.timeout_seconds)
        assert isinstance(output, _Http)
        return _http(output)
    except SettingsError as error:
        raise SettingsError(f"output {output.name}: {error.args[0]}", error.hint) from error


def check(output: Output) -> None:
    """Raise SettingsError if ``output`` could not work. Changes nothing."""
    if not isinstance(output, FileOutput):
        sender(output).close()
        return
    folder = Path(output.path).parent
    if output.path != STANDARD_OUTPUT and not (folder.is_dir() and os.access(folder, os.W_OK)):
        message = f"output {output.name}: {escape(str(folder))} is no directory that can be written"
        raise SettingsError(message, "make it, and run the check as the collector's user")


def _http(output: _Http) -> Sender:
    endpoint = _endpoint(output)
    endpoint.read_url()
    endpoint.read_headers()
    endpoint.tls.check()
    if isinstance(output, WebhookOutput):
        return WebhookSender(HttpClient(endpoint), ENCODERS[output.format], output.body, output.batch)
    if isinstance(output, FalcoOutput):
        return WebhookSender(HttpClient(endpoint), ENCODERS[Format.FALCO], Body.OBJECT, 1)
    ocsf = output.format == "ocsf"
    if output.protocol == "grpc":
        return OtlpGrpcSender(endpoint, ocsf, output.batch)
    return OtlpHttpSender(HttpClient(endpoint), ocsf, output.batch)


def _endpoint(output: _Http) -> Endpoint:
    return Endpoint(
        output.url,
        output.url_file or "",
        output.headers_file or "",
        output.tls.names(),
        output.timeout_seconds,
        output.compression == "gzip",
    )


def wanted(output: Output) -> Wanted:
    """Return what is to be sent to ``output``."""
    message = pb.DeviationFilter(
        minimum_severity=cast(
            "deviation_pb2.Severity", deviation_pb2.Severity.Value(f"SEVERITY_{output.severity.name}")
        ),
        kinds=output.kinds,
        namespace=escape(output.namespace),
    )
    return Wanted(DeviationFilter(message), output.updates, output.max_lag, output.silenced)


def warnings(outputs: OutputsFile) -> list[str]:
    """Return a sentence for each output that sends evidence over a network unencrypted."""
    return [
        f"output {output.name} sends unencrypted to {escape(where)}: everybody on the way can read and change it"
        for output in outputs.outputs
        if (where := _plain_abroad(output))
    ]


def _plain_abroad(output: Output) -> str:
    """Return the host that ``output`` reaches over a network in plain text, "" if there is none."""
    if isinstance(output, SyslogOutput):
        to = address(output.to)
        return to.host if to.scheme in ("udp", "tcp") and not _is_loopback(to.host) else ""
    if not isinstance(output, _Http):
        return ""
    try:
        url = _endpoint(output).read_url()
    except SettingsError:  # told when the sender is made
        return ""
    host = url.hostname or ""
    return host if url.scheme == "http" and not _is_loopback(host) else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
