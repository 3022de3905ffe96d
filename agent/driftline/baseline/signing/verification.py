"""Is this file a baseline that enough trusted keys signed?

In: an envelope's bytes, keys, how many must have signed. Out: what was signed and by whom; or a SignatureError. The
payload is looked at only after that: what nobody trusted signed is never parsed. Expiry is the caller's question, for
it depends on whose clock. Next: ``child`` for the agent, ``driftline baseline verify`` for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from driftline.baseline.format.reading import DocumentError
from driftline.baseline.signing.envelope import Envelope, EnvelopeError, from_bytes, signers
from driftline.baseline.signing.keys import PublicKey
from driftline.baseline.signing.statement import Statement, from_payload
from driftline.errors import SignatureError


class UntrustedError(SignatureError):
    """It is whole, and too few trusted keys signed it."""


class Verified(NamedTuple):
    """A signed baseline, and the trusted keys that signed it."""

    statement: Statement
    keys: tuple[PublicKey, ...]


def verify(data: bytes, keys: Sequence[PublicKey], threshold: int) -> Verified:
    """Return what ``data`` says, signed by at least ``threshold`` of ``keys``. Raises SignatureError."""
    envelope, found = signed_by_enough(data, keys, threshold)
    return Verified(read_statement(envelope), found)


def signed_by_enough(data: bytes, keys: Sequence[PublicKey], threshold: int) -> tuple[Envelope, tuple[PublicKey, ...]]:
    """Return what at least ``threshold`` of ``keys`` signed, whatever it says, and which.

    Raises UntrustedError if it was others; SignatureError.
    """
    if not 0 < threshold <= len(keys):
        raise SignatureError(f"{threshold} signatures are needed, and {len(keys)} keys are trusted", "give more keys")
    envelope = read_envelope(data)
    found = signers(envelope, keys)
    if len(found) < threshold:
        named = sorted({one.keyid for one in envelope.signatures if one.keyid})
        hint = f"it is signed by {', '.join(named)}" if named else ""
        what = f"of {threshold} needed signatures by trusted keys, {len(found)} are right"
        raise UntrustedError(what, hint)
    return envelope, tuple(found)


def read_envelope(data: bytes) -> Envelope:
    """Return an envelope, nothing in it verified. Raises SignatureError."""
    try:
        return from_bytes(data)
    except EnvelopeError as error:
        raise SignatureError(f"no DSSE envelope: {error}") from error


def read_statement(envelope: Envelope) -> Statement:
    """Return what an envelope says, whoever signed it. Raises SignatureError."""
    try:
        return from_payload(envelope.payload)
    except DocumentError as error:
        raise SignatureError(f"no signed baseline: {error}") from error


def revision_in(data: bytes) -> int:
    """Return the revision an envelope is of, nothing in it verified; 0 if it is not of a baseline."""
    try:
        return read_statement(read_envelope(data)).baseline.revision
    except SignatureError:
        return 0
