"""A published baseline comes into force on this node.

In: a request whose file holds what was sent. Out: a new revision, or the very one that was signed; the running agent
takes it over within two seconds. Runs in the child. Why what was taken is noted: a collector that did not hear our
answer tells again, and what people changed here since must stay. Next: ``store``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from driftline.baseline.decisions import take_in
from driftline.baseline.format.canonical import from_msgpack, version_of
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.keeping.files import read_file, replace_file
from driftline.baseline.keeping.revoked import refuse
from driftline.baseline.keeping.store import MSGPACK, PUBLISH, BaselineStore, made_by
from driftline.baseline.receiving.apart import Answer, Became, Request
from driftline.baseline.schema import Baseline
from driftline.baseline.signing import statement
from driftline.baseline.signing.keys import SUFFIXES, PublicKey, load_trusted
from driftline.baseline.signing.verification import read_envelope, read_statement, revision_in, verify
from driftline.errors import SignatureError, StateError
from driftline.text import escape
from driftline.wire.pieces import inflate
from driftline.wire.service import WHOLE_BYTES

NOTE = "published.json"
"""In the directory of a baseline: what was taken last."""
MAX_NOTE = 4_096
NS = 1_000_000_000


def publish(request: Request) -> Answer:
    """Put it in force. Raises StateError, SignatureError, DocumentError, DecisionError, PieceError, OSError."""
    data = inflate(read_file(Path(request.file), WHOLE_BYTES), WHOLE_BYTES)
    given, by = _signed(request, data) if request.signed else (_unsigned(request, data), ())
    statement.check(given)
    if escape(given.name) != request.name or version_of(given) != request.version:
        raise DocumentError(f"it is {version_of(given)} of {given.name}, not what it was sent as")
    refuse(request.state_dir, given.name, request.version)
    store = BaselineStore(request.state_dir, by_hand=True)
    with store.locked(given.name):
        if not _is_noted(store, given):
            if request.signed:
                store.install(given, data, revision_in, made_by(*_published(request, _signers(by))))
            else:
                _commit(store, given, request)
            _note(store, given)
    return Answer(became=Became.TAKEN)


def trusted(request: Request) -> tuple[PublicKey, ...]:
    """Return the trusted keys. Raises SignatureError if there are none, or one of them is no key."""
    try:
        return load_trusted(Path(request.trust_dir))
    except SignatureError as error:
        raise SignatureError(f"no trusted keys in {escape(request.trust_dir)}: {error.args[0]}") from error


def _signed(request: Request, data: bytes) -> tuple[Baseline, Sequence[PublicKey]]:
    """What was signed, and by whom."""
    by: Sequence[PublicKey] = ()
    if request.unsigned and not _has_keys(Path(request.trust_dir)):
        found = read_statement(read_envelope(data))  # this node would take it without signatures as well
    else:
        found, by = verify(data, trusted(request), request.threshold)
    if 0 < found.expires_ns <= time.time_ns():
        raise SignatureError(f"it expired on {datetime.fromtimestamp(found.expires_ns // NS, UTC):%Y-%m-%d %H:%M} UTC")
    return found.baseline, by


def _has_keys(directory: Path) -> bool:
    try:
        return any(path.suffix in SUFFIXES for path in directory.iterdir())
    except FileNotFoundError:
        return False


def _unsigned(request: Request, data: bytes) -> Baseline:
    if not request.unsigned:
        raise SignatureError("nobody signed it, and this node takes only what is signed")
    return from_msgpack(data)


def _commit(store: BaselineStore, given: Baseline, request: Request) -> None:
    found = store.load_one(given.name)
    current = found if isinstance(found, Baseline) else None  # a damaged one is mended
    if current is not None and store.is_signed(current):
        raise SignatureError(f"revision {current.revision}, which is in force here, is signed, and this is not")
    store.commit(take_in(current, given), *_published(request, request.version))


def _published(request: Request, what: str) -> tuple[str, str, str, str]:
    """Who put it in force here, and why."""
    return f"collector: {request.collector}", PUBLISH, "published for every node", what


def _signers(keys: Sequence[PublicKey]) -> str:
    return f"signed by {', '.join(f'{one.id} ({one.name})' for one in keys)}" if keys else "signatures not verified"


def _noted(given: Baseline) -> bytes:
    return json.dumps({"version": version_of(given), "revision": given.revision}).encode()


def _is_noted(store: BaselineStore, given: Baseline) -> bool:
    directory = store.directory(given.name)
    try:
        return read_file(directory / NOTE, MAX_NOTE) == _noted(given) and (directory / MSGPACK).exists()
    except (FileNotFoundError, ValueError):
        return False


def _note(store: BaselineStore, given: Baseline) -> None:
    path = store.directory(given.name) / NOTE
    try:
        replace_file(path, _noted(given))
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}", "free space") from error
