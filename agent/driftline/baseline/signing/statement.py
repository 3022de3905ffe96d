"""in-toto Statement v1 about a baseline: which image it is of, the whole of it, how long it counts.

In: a ``Baseline`` and an expiry, or a payload whose signatures were verified. Out: the other. Every field is read or
refused: one that an older version overlooked might be the one that mattered. Sources:
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md. Next: ``envelope`` signs it.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from driftline.baseline.canonical import version_of
from driftline.baseline.document import from_document, to_document
from driftline.baseline.jsontext import parse
from driftline.baseline.plaintext import CODEC
from driftline.baseline.reading import DocumentError
from driftline.baseline.schema import Baseline, State
from driftline.text import escape

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "driftline:baseline/1"
"""Ours, and its version: what the predicate holds changes only together with it."""
ALGORITHM = "sha256"
_DIGITS = 64
_HEX = frozenset("0123456789abcdef")


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
    found = {
        "_type": STATEMENT_TYPE,
        "subject": [_subject(baseline)],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def check(baseline: Baseline) -> None:
    """Refuse what can be of no image for good. Raises DocumentError."""
    if not is_digest(baseline.key):
        raise DocumentError(f"key: {escape(baseline.key)} is no SHA-256 digest of an image")
    if baseline.state is State.LEARNING:
        raise DocumentError("state: it is still being learned")
    if baseline.revision < 1:
        raise DocumentError("revision: 0, but revisions count from 1")


def is_digest(text: str) -> bool:
    """Whether ``text`` is ``sha256:`` and 64 digits."""
    algorithm, _, digits = text.partition(":")
    return algorithm == ALGORITHM and len(digits) == _DIGITS and _HEX.issuperset(digits)


def _subject(baseline: Baseline) -> dict[str, Any]:
    return {
        "name": escape(baseline.image or baseline.key),
        "digest": {ALGORITHM: baseline.key.removeprefix(f"{ALGORITHM}:")},
    }


def from_payload(payload: bytes) -> Statement:
    """Return what was signed. Raises DocumentError for anything that is not a statement of ours, field by field."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"payload: not UTF-8 at byte {error.start}") from error
    found = fields(parse(text), "statement", {"_type", "subject", "predicateType", "predicate"})
    for name, wanted in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
        if found[name] != wanted:
            raise DocumentError(f"{name}: not {wanted}")
    names = {"baseline", "expires", "parent", "revision", "version"}
    predicate = fields(found["predicate"], "predicate", names)
    baseline, version = from_document(predicate["baseline"], CODEC)
    check(baseline)
    agree(found["subject"], [_subject(baseline)], "subject")
    agree(version, version_of(baseline), "baseline.version")
    agree(predicate["version"], version, "version")
    agree(predicate["parent"], escape(baseline.parent), "parent")
    agree(predicate["revision"], baseline.revision, "revision")
    return Statement(baseline, _expiry(predicate["expires"]))


def fields(value: object, place: str, names: set[str]) -> dict[str, Any]:
    """Return ``value`` if it is an object of just ``names``. Raises DocumentError."""
    if not isinstance(value, dict) or value.keys() != names:
        raise DocumentError(f"{place}: not an object of {', '.join(sorted(names))}")
    return value


def agree(found: object, wanted: object, place: str) -> None:
    """Raise DocumentError unless ``found`` says what follows from the rest."""
    if type(found) is not type(wanted) or found != wanted:
        raise DocumentError(f"{place}: not that of the baseline")


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
