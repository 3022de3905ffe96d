"""Small facts about a deviation that several formats need.

In: parts of a deviation as they came over the wire. Out: words and numbers. Next: ``falco``, ``ocsf``, ``syslog``,
``otlp``.
"""

from __future__ import annotations

from driftline.nouns import RecordFlag
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline.wire.jsontext import flag_names
from driftline_collector.outputs.sending import clean

Deviation = deviation_pb2.Deviation

SEVERITIES = ("unknown", "info", "low", "medium", "high", "critical")
"""Names by number on the wire."""


def severity(deviation: Deviation) -> str:
    """Return the name of the severity, "unknown" for one of a newer agent."""
    number = deviation.severity
    return SEVERITIES[number] if 0 <= number < len(SEVERITIES) else SEVERITIES[0]


def origin(deviation: Deviation) -> str:
    """Return where the file comes from, "" if there is no file."""
    if not deviation.HasField("file"):
        return ""
    value = deviation_pb2.Origin.DESCRIPTOR.values_by_number.get(deviation.file.origin)
    return str(value.name).removeprefix("ORIGIN_").lower() if value else ""


def flags(deviation: Deviation) -> list[str]:
    """Return the names of the record's flags."""
    return flag_names(deviation.flags, RecordFlag)


def name_of(path: str) -> str:
    """Return the last part of ``path``."""
    return path.rpartition("/")[2] or path


def image_parts(reference: str) -> tuple[str, str]:
    """Return an image reference's repository and tag: "registry:5000/a/b", "1.2"; the tag may be empty."""
    reference = reference.partition("@")[0]
    repository, colon, tag = reference.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (reference, "")


def command_line(deviation: Deviation) -> str:
    """Return the arguments, with spaces between them."""
    return clean(" ".join(deviation.argv))


def parent(deviation: Deviation) -> str:
    """Return the path of the nearest ancestor's executable, "" if it is unknown."""
    return clean(deviation.ancestors[0].path) if deviation.ancestors else ""
