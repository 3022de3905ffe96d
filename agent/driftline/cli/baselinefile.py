"""Baseline files somebody gives us: YAML, JSON or msgpack, told apart by their first byte; signed ones by their keys.

In: a path. Out: a ``Baseline``, or an error that names file and place. Next: ``driftline baseline diff``, ``import``.
"""

from __future__ import annotations

from pathlib import Path

from driftline.baseline.format.canonical import MAX_FILE, from_msgpack
from driftline.baseline.format.jsontext import from_json
from driftline.baseline.format.yamltext import from_yaml
from driftline.baseline.keeping.files import read_file
from driftline.baseline.schema import Baseline
from driftline.baseline.signing.files import is_envelope
from driftline.errors import SignatureError, StateError
from driftline.text import escape

FIRST_BINARY = b"\x80"
"""msgpack's maps begin at 0x80, text in UTF-8 with a letter or a sign below it."""


def read_baseline(path: Path) -> Baseline:
    """Return the baseline in the file at ``path``; in a signed one whoever signed it. Raises StateError."""
    return read_with_bytes(path)[0]


def read_with_bytes(path: Path) -> tuple[Baseline, bytes]:
    """Return the same, and what it was read from. Raises StateError."""
    name = escape(str(path))
    try:
        data = read_file(path.resolve(), MAX_FILE)
        return parse(data), data
    except OSError as error:
        raise StateError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StateError(f"{name} is no baseline: not UTF-8 at byte {error.start}") from error
    except ValueError as error:
        raise StateError(f"{name} is no baseline: {error}", "docs/baselines.md says what a baseline holds") from error


def read_signed(path: Path) -> bytes | None:
    """Return the bytes of a signed file, None if it is none. Raises StateError."""
    data = read_bytes(path)
    return data if is_envelope(data) else None


def read_bytes(path: Path) -> bytes:
    """Return what is in a file, whatever it is. Raises StateError."""
    try:
        return read_file(path.resolve(), MAX_FILE)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise StateError(f"{escape(str(path))} cannot be read: {problem}") from error


def parse(data: bytes) -> Baseline:
    """Return the baseline in ``data``; in a signed one whoever signed it. Raises ValueError."""
    if is_binary(data):
        return from_msgpack(data)
    if is_envelope(data):
        return _unverified(data)
    text = data.decode("utf-8")
    return from_json(text) if is_json(data) else from_yaml(text)


def is_binary(data: bytes) -> bool:
    """Whether a baseline's file is msgpack."""
    return data[:1] >= FIRST_BINARY


def is_json(data: bytes) -> bool:
    """Whether a baseline's file, no msgpack, is JSON; YAML otherwise."""
    return data.lstrip().startswith(b"{")


def _unverified(data: bytes) -> Baseline:
    from driftline.baseline.signing.verification import read_envelope, read_statement  # 30 ms few commands need

    try:
        return read_statement(read_envelope(data)).baseline
    except SignatureError as error:
        raise ValueError(str(error.args[0])) from error
