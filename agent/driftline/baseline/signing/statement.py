"""in-toto Statement v1 about a baseline: which image it is of, the whole of it, how long it counts.

In: a ``Baseline`` and an expiry, or a payload whose signatures were verified. Out: the other. Every field is read or
refused, as ``intoto`` says. Next: ``envelope`` signs it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.document import from_document, to_document
from driftline.baseline.format.plaintext import CODEC
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.schema import Baseline, State
from driftline.baseline.signing.intoto import agree, is_digest, subject_of, unwrap, wrap
from driftline.text import escape

PREDICATE_TYPE = "driftline:baseline/1"
"""Ours, and its version: what the predicate holds changes only together with it."""


class Statement(NamedTuple):
    """What was signed. ``expires_ns``: Unix ns, 0: never."""

    baseline: Baseline
    expires_ns: int


def payload_of(statement: Statement) -> bytes:
    """Return the bytes to sign. Raises DocumentError for a baseline nobody can sign."""
    baseline = statement.baseline
    check(baseline)
    version = version_of(baseline)
    predicate = {
        "baseline": to_document(baseline, version, CODEC),
        "expires": CODEC.time(statement.expires_ns) if statement.expires_ns else None,
        "parent": escape(baseline.parent),
        "revision": baseline.revision,
        "version": version,
    }
    return wrap(_subject(baseline), PREDICATE_TYPE, predicate)


def check(baseline: Baseline) -> None:
    """Refuse what can be of no image for good. Raises DocumentError."""
    if not is_digest(baseline.key):
        raise DocumentError(f"key: {escape(baseline.key)} is no SHA-256 digest of an image")
    if baseline.state is State.LEARNING:
        raise DocumentError("state: it is still being learned")
    if baseline.revision < 1:
        raise DocumentError("revision: 0, but revisions count from 1")


def _subject(baseline: Baseline) -> list[dict[str, Any]]:
    return subject_of(baseline.image or baseline.key, baseline.key)


def from_payload(payload: bytes) -> Statement:
    """Return what was signed. Raises DocumentError for anything that is not a statement of ours, field by field."""
    subject, predicate = unwrap(payload, PREDICATE_TYPE, {"baseline", "expires", "parent", "revision", "version"})
    baseline, version = from_document(predicate["baseline"], CODEC)
    check(baseline)
    agree(subject, _subject(baseline), "subject")
    agree(version, version_of(baseline), "baseline.version")
    agree(predicate["version"], version, "version")
    agree(predicate["parent"], escape(baseline.parent), "parent")
    agree(predicate["revision"], baseline.revision, "revision")
    return Statement(baseline, _expiry(predicate["expires"]))


def _expiry(value: object) -> int:
    if value is None:
        return 0
    try:
        expires_ns = CODEC.read_time(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise DocumentError(f"expires: not a time ({error})") from error
    if expires_ns <= 0:
        raise DocumentError("expires: before 1970")
    return expires_ns
