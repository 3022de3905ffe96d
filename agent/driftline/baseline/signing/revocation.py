"""in-toto Statement v1 that a version of a baseline must not be in force any more, and why.

In: a name, a version and a reason, or an envelope. Out: the other. Why signed: who can revoke what is good makes every
node forget it, and learn whatever happens there. It never expires: what was found bad stays bad. Every field is read or
refused, as ``intoto`` says. Next: ``envelope`` signs it, ``receiving`` obeys it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from driftline.baseline.format.reading import DocumentError
from driftline.baseline.keeping.revoked import MAX_REASON, Revoked
from driftline.baseline.signing.intoto import agree, is_digest, subject_of, unwrap, wrap
from driftline.baseline.signing.keys import PublicKey
from driftline.baseline.signing.verification import signed_by_enough
from driftline.text import escape, unescape

PREDICATE_TYPE = "driftline:revocation/1"
"""Ours, and its version: what the predicate holds changes only together with it."""


def payload_of(revoked: Revoked) -> bytes:
    """Return the bytes to sign. Raises DocumentError for what no node could obey."""
    _check(revoked)
    predicate = {"name": escape(revoked.name), "reason": escape(revoked.reason), "version": revoked.version}
    return wrap(_subject(revoked), PREDICATE_TYPE, predicate)


def read(data: bytes, keys: Sequence[PublicKey], threshold: int) -> Revoked:
    """Return what the envelope ``data`` revokes, signed by at least ``threshold`` of ``keys``.

    Raises SignatureError; DocumentError for something else that they signed.
    """
    return from_payload(signed_by_enough(data, keys, threshold)[0].payload)


def from_payload(payload: bytes) -> Revoked:
    """Return what was signed. Raises DocumentError for anything that is not a revocation, field by field."""
    subject, predicate = unwrap(payload, PREDICATE_TYPE, {"name", "reason", "version"})
    revoked = Revoked(*[_text(predicate[name], name) for name in ("name", "version", "reason")])
    _check(revoked)
    agree(subject, _subject(revoked), "subject")
    return revoked


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise DocumentError(f"{place}: not text")
    try:
        text = unescape(value)
    except ValueError as error:
        raise DocumentError(f"{place}: {error}") from error
    if escape(text) != value:
        raise DocumentError(f"{place}: not escaped as it is written")
    return text


def _check(revoked: Revoked) -> None:
    if not is_digest(_key(revoked)):
        raise DocumentError(f"name: {escape(revoked.name)} begins with no SHA-256 digest of an image")
    if not is_digest(revoked.version):
        raise DocumentError("version: no SHA-256 digest")
    if not revoked.reason.strip() or len(revoked.reason) > MAX_REASON:
        raise DocumentError(f"reason: not 1 to {MAX_REASON} characters")


def _key(revoked: Revoked) -> str:
    return revoked.name.partition("+")[0]


def _subject(revoked: Revoked) -> list[dict[str, Any]]:
    return subject_of(revoked.name, _key(revoked))
