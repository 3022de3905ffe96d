"""in-toto Statement v1 around a predicate of ours.

In: a subject and a predicate, or a payload whose signatures were verified. Out: the other. Every field is read or
refused: one that an older version overlooked might be the one that mattered. Source:
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md. Next: ``statement``, ``revocation``.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from driftline.baseline.format.jsontext import parse
from driftline.baseline.format.reading import DocumentError
from driftline.text import escape

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
ALGORITHM = "sha256"
_DIGITS = 64
_HEX = frozenset("0123456789abcdef")


class Content(NamedTuple):
    """What a payload holds. ``subject``: to be compared with what follows from the predicate."""

    subject: object
    predicate: dict[str, Any]


def is_digest(text: str) -> bool:
    """Whether ``text`` is ``sha256:`` and 64 digits."""
    algorithm, _, digits = text.partition(":")
    return algorithm == ALGORITHM and len(digits) == _DIGITS and _HEX.issuperset(digits)


def subject_of(name: str, key: str) -> list[dict[str, Any]]:
    """Return the subject: the image with the digest ``key``, called ``name``."""
    return [{"name": escape(name), "digest": {ALGORITHM: key.removeprefix(f"{ALGORITHM}:")}}]


def wrap(subject: object, predicate_type: str, predicate: dict[str, Any]) -> bytes:
    """Return the bytes to sign."""
    found = {"_type": STATEMENT_TYPE, "subject": subject, "predicateType": predicate_type, "predicate": predicate}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def unwrap(payload: bytes, predicate_type: str, names: set[str]) -> Content:
    """Return what was signed, a predicate of just the fields ``names``. Raises DocumentError for anything else."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"payload: not UTF-8 at byte {error.start}") from error
    found = _fields(parse(text), "statement", {"_type", "subject", "predicateType", "predicate"})
    for name, wanted in (("_type", STATEMENT_TYPE), ("predicateType", predicate_type)):
        if found[name] != wanted:
            raise DocumentError(f"{name}: not {wanted}")
    return Content(found["subject"], _fields(found["predicate"], "predicate", names))


def agree(found: object, wanted: object, place: str) -> None:
    """Raise DocumentError unless ``found`` says what follows from the rest."""
    if type(found) is not type(wanted) or found != wanted:
        raise DocumentError(f"{place}: not that of the baseline")


def _fields(value: object, place: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise DocumentError(f"{place}: not an object of {', '.join(sorted(names))}")
    return value
