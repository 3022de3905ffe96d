"""Canonical bytes of a baseline, their digest (its version), and the msgpack file the agent loads.

In: a ``Baseline``. Out: bytes, and back. Why: equal content must have equal bytes, whatever the order it was learned
in, so that a version can be compared, and later signed. The version covers what is allowed for which image; times,
counts and names do not change it. Next: ``store``.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from driftline.baseline.document import Codec, DocumentError, from_document, to_document
from driftline.baseline.schema import FORMAT, Baseline, fields_of, ordered
from driftline.packing import pack, unpack

MAX_FILE = 64 * 1024 * 1024
"""Largest baseline file read: 100 000 behaviours of 200 bytes with their evidence take about 30 MiB."""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _read_bytes(value: Any) -> str:
    if not isinstance(value, bytes):
        raise TypeError("not bytes")
    return os.fsdecode(value)


def _read_number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("not a number")
    return value


_CODEC = Codec(text=_bytes, time=int, read_text=_read_bytes, read_time=_read_number)


def canonical_content(baseline: Baseline) -> bytes:
    """Return the canonical bytes of what is allowed: msgpack of format, key and the sorted behaviours.

    Map keys are in alphabetical order, behaviours sorted by their fields, text is UTF-8 with undecodable bytes as they
    were.
    """
    content: dict[str, object] = {
        name: [[_bytes(value) if isinstance(value, str) else value for value in fields_of(each)] for each in part]
        for name, part in ordered(baseline.entries).items()
    }
    content["format"] = FORMAT
    content["key"] = _bytes(baseline.key)
    return pack(dict(sorted(content.items())))


def version_of(baseline: Baseline) -> str:
    """Return the content digest: ``sha256:`` and the hex SHA-256 of ``canonical_content``."""
    return "sha256:" + hashlib.sha256(canonical_content(baseline)).hexdigest()


def to_msgpack(baseline: Baseline) -> bytes:
    """Return the whole baseline, evidence included, as the bytes of a file."""
    version = version_of(baseline).encode()
    return pack({**to_document(baseline, "", _CODEC), "version": version})


def from_msgpack(data: bytes) -> Baseline:
    """Return the baseline in ``data``.

    Raises DocumentError for anything malformed, and for content that does not have the digest it claims.
    """
    try:
        document = unpack(data, MAX_FILE)
    except ValueError as error:
        raise DocumentError(str(error)) from error
    baseline, version = from_document(document, _CODEC)
    if version != version_of(baseline):
        raise DocumentError("version: not the digest of the content")
    return baseline
