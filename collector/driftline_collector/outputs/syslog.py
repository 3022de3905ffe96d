"""A deviation as a syslog message.

In: a deviation. Out: one RFC 5424 message: facility and severity, time, node, ``driftline``, the kind as MSGID, what is
known as structured data, the sentence (or JSON) as text. What does not fit the greatest size is cut, and the parameter
``truncated`` says by how many octets. Source: RFC 5424, section 6. Next: ``syslogout`` sends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.jsontext import wall_time
from driftline_collector.outputs import facts
from driftline_collector.outputs.facts import Deviation
from driftline_collector.outputs.formats import ENCODERS, Format
from driftline_collector.outputs.sending import clean

SEVERITIES = {"critical": 2, "high": 3, "medium": 4, "low": 5, "info": 6, "unknown": 4}
"""Critical, error, warning, notice, informational (RFC 5424, table 2)."""

FACILITIES = {
    **{name: number for number, name in enumerate(("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news"))},
    **{"uucp": 8, "cron": 9, "authpriv": 10, "ftp": 11},
    **{f"local{number}": 16 + number for number in range(8)},
}
"""By name (RFC 5424, table 1; the names of syslog(3))."""

VALUE_OCTETS = 256
"""Longest value in the structured data: RFC 5424 sets none, and a path of 4096 must not crowd out the sentence."""

SMALLEST = 1024
"""Least that may be set as the greatest size, in octets: header, id, kind and a cut sentence fit."""

_BOM = b"\xef\xbb\xbf"
_HEADER_UNSAFE = re.compile(r"[^!-~]")


class Body(StrEnum):
    """The text of a message."""

    SENTENCE = "sentence"
    JSON = "json"


class SyslogFormat:
    """Writes messages of at most ``max_bytes`` octets; ``enterprise`` is the number in the structured data's id."""

    def __init__(self, facility: str, body: Body, max_bytes: int, enterprise: int) -> None:
        self._facility = FACILITIES[facility] * 8
        self._body = body
        self._max = max_bytes
        self._sd_id = f"driftline@{enterprise}"

    def message(self, item: pb.StoredDeviation) -> bytes:
        """Return the message. Raises RecordError for a deviation that cannot be read (JSON only)."""
        deviation = item.deviation
        head = self._head(deviation)
        data = [f'{name}="{_value(value)}"' for name, value in _parameters(deviation) if value]
        text = clean(deviation.sentence)
        if self._body is Body.JSON:
            text = ENCODERS[Format.JSON](item)
        whole = self._assemble(head, data, text)
        if len(whole) <= self._max:
            return whole
        if self._body is Body.JSON:  # a piece of JSON is no JSON: the sentence says more
            text = clean(deviation.sentence)
        return self._cut(head, data, text, len(whole))

    def _head(self, deviation: Deviation) -> str:
        priority = self._facility + SEVERITIES[facts.severity(deviation)]
        seconds, _, fraction = wall_time(deviation.last_wall_ns).rstrip("Z").partition(".")
        time = f"{seconds}.{fraction[:6]}Z" if seconds else "-"
        return f"<{priority}>1 {time} {_name(deviation.node, 255)} driftline - {_name(deviation.kind, 32)} "

    def _assemble(self, head: str, data: list[str], text: str) -> bytes:
        body = text.encode("utf-8", "backslashreplace")
        bom = b"" if text.isascii() else _BOM
        return f"{head}[{' '.join((self._sd_id, *data))}] ".encode() + bom + body

    def _cut(self, head: str, data: list[str], text: str, whole: int) -> bytes:
        """Return the message cut: first parameters from the last, which matter least, then the text."""
        told = f'truncated="{10**9}"'  # as long as the real number may become
        while len(data) > 2 and len(self._assemble(head, [*data, told], "")) > self._max // 2:
            data = data[:-1]
        room = self._max - len(self._assemble(head, [*data, told], "")) - len(_BOM)
        text = text.encode("utf-8", "backslashreplace")[: max(0, room)].decode("utf-8", "ignore")
        size = len(self._assemble(head, data, text))
        return self._assemble(head, [*data, f'truncated="{whole - size}"'], text)


def _parameters(deviation: Deviation) -> Iterator[tuple[str, str]]:
    """Yield names and values of the structured data, what matters most first."""
    subject = deviation.subject
    yield "id", deviation.id
    yield "kind", deviation.kind
    yield "severity", facts.severity(deviation)
    yield "technique", deviation.technique
    yield "checks", " ".join(deviation.checks)
    yield "count", str(deviation.count)
    yield "container", subject.name
    yield "containerId", subject.container_id
    yield "namespace", subject.namespace
    yield "pod", subject.pod
    yield "image", subject.image
    yield "imageDigest", subject.image_digest
    yield "pid", str(deviation.process.pid) if deviation.process.pid else ""
    yield "uid", str(deviation.process.uid) if deviation.HasField("process") else ""
    yield "exe", deviation.exe
    yield "what", deviation.what
    yield "parent", facts.parent(deviation)
    yield "sha256", deviation.sha256
    yield "baseline", deviation.baseline
    yield "cmdline", facts.command_line(deviation)


def _value(text: str) -> str:
    """Return ``text`` as a PARAM-VALUE: '"', "\\" and "]" escaped (section 6.3.3), cut to VALUE_OCTETS."""
    octets = clean(text).encode("utf-8", "backslashreplace")
    plain = octets[:VALUE_OCTETS].decode("utf-8", "ignore")
    if len(octets) > VALUE_OCTETS:
        plain += "…"
    return re.sub(r'(["\\\]])', r"\\\1", plain)


def _name(text: str, longest: int) -> str:
    """Return ``text`` as a header field: printable ASCII without spaces, "-" for nothing."""
    return _HEADER_UNSAFE.sub("_", text)[:longest] or "-"
