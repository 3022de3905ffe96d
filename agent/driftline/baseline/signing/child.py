"""``python -m driftline.baseline.signing.child``: verifies the signatures of some baselines, ends.

In: a ``Request`` as JSON on standard input. Out: a line of JSON for each baseline, an ``Answer``; what concerns all of
them is one line on standard error and the exit status. It changes nothing. Why a child: see ``apart``.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from driftline.baseline.format.canonical import MAX_FILE, from_msgpack, version_of
from driftline.baseline.keeping.files import read_file
from driftline.baseline.keeping.history import header, numbers, path_of
from driftline.baseline.keeping.promotion import POLICY
from driftline.baseline.keeping.revoked import Revoked, reason_of, recall
from driftline.baseline.keeping.store import MSGPACK
from driftline.baseline.keeping.writing import AGENT
from driftline.baseline.schema import Baseline, State
from driftline.baseline.signing import files
from driftline.baseline.signing.envelope import MAX_ENVELOPE
from driftline.baseline.signing.judged import (
    ABSENT,
    ENVELOPE,
    Answer,
    Judged,
    Request,
    Worth,
    kept_directory,
    own_directory,
)
from driftline.baseline.signing.keys import PublicKey, load_trusted
from driftline.baseline.signing.verification import UntrustedError, verify
from driftline.errors import SignatureError, StateError

MEMORY = 2 * 1024**3
"""Address space, bytes: the largest baseline as JSON and as objects takes about 1 GiB."""
NICENESS = 10
MAX_SEARCHED = 512 * 1024**2
"""Bytes of envelopes read in search of an earlier revision: the largest possible ones take some ten seconds."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_Envelope = Callable[[Baseline], bytes | None]


class _Trust(NamedTuple):
    """Whose signatures count, how many are needed, and what counts whoever signed it: never."""

    keys: Sequence[PublicKey]
    threshold: int
    revoked: Sequence[Revoked]


def main() -> int:
    """Verify what standard input asks for; return the exit status."""
    confine()
    values = json.load(sys.stdin)
    request = Request(**{**values, "names": tuple(values["names"])})
    try:
        trust = _Trust(load_trusted(Path(request.trust_dir)), request.threshold, recall(request.state_dir))
    except (SignatureError, StateError) as error:
        print(error.args[0], file=sys.stderr)
        return SignatureError.exit_status
    for name in request.names:
        print(json.dumps(asdict(_answer(request, trust, name))), flush=True)
    return 0


def confine() -> None:
    """Let this process be polite, small, and gone with its parent: there is nothing to clean up."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(NICENESS)
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard))


def _answer(request: Request, trust: _Trust, name: str) -> Answer:
    own, kept = own_directory(request.state_dir, name), kept_directory(request.state_dir, name)
    now = _judge(own / MSGPACK, name, lambda baseline: files.read(own, version_of(baseline), MAX_ENVELOPE), trust)
    before = _judge(kept / MSGPACK, name, lambda _baseline: _read_kept(kept / ENVELOPE), trust)
    return Answer(name, now, before, _earlier(own, name, before.revision, trust) if before.untrusted else ABSENT)


def _earlier(own: Path, name: str, revision: int, trust: _Trust) -> Judged:
    """The newest one before ``revision`` that is good, at most ``MAX_SEARCHED`` bytes of signatures away."""
    searched = 0
    for number in reversed(numbers(own)):
        found = header(path_of(own, number)) if number < revision else None
        if found is None or (data := files.read_of(own, number, found.version, MAX_ENVELOPE)) is None:
            continue
        searched += len(data)
        if searched > MAX_SEARCHED:
            break
        one = _judge(path_of(own, number), name, partial(_given, data), trust)
        if one.worth is Worth.GOOD:
            return one
    return ABSENT


def _given(data: bytes, _baseline: Baseline) -> bytes:
    return data


def _read_kept(path: Path) -> bytes | None:
    try:
        return read_file(path, MAX_ENVELOPE)
    except FileNotFoundError:
        return None


def _judge(path: Path, name: str, envelope: _Envelope, trust: _Trust) -> Judged:
    try:
        return _compare(read_file(path, MAX_FILE), name, envelope, trust)
    except FileNotFoundError:
        return ABSENT
    except (OSError, ValueError) as error:
        return Judged(worth=Worth.BAD, why=f"it cannot be read: {error}")
    except MemoryError:
        return Judged(worth=Worth.BAD, why=f"it needs more than {MEMORY} bytes of memory to be verified")


def _compare(data: bytes, name: str, envelope: _Envelope, trust: _Trust) -> Judged:
    baseline = from_msgpack(data)
    found = Judged(
        worth=Worth.LEARNING,
        why="it is being learned",
        sha256=hashlib.sha256(data).hexdigest(),
        revision=baseline.revision,
        retired=baseline.state is State.RETIRED,
        own=bool(baseline.reviews) and baseline.reviews[-1].author in {AGENT, POLICY},
    )
    if baseline.name != name:
        return replace(found, worth=Worth.BAD, why="it is another image's")
    if baseline.state is State.LEARNING:
        return found
    revoked = reason_of(trust.revoked, name, version_of(baseline))
    if revoked is not None and baseline.state is not State.RETIRED:
        return replace(found, worth=Worth.BAD, why=f"revoked: {revoked}")
    return _verify(found, baseline, envelope(baseline), trust)


def _verify(found: Judged, baseline: Baseline, data: bytes | None, trust: _Trust) -> Judged:
    """What the envelope in ``data`` makes of a baseline. What is signed must be the whole of it, evidence included."""
    if data is None:
        return replace(found, worth=Worth.UNSIGNED, why=f"nobody signed revision {baseline.revision}")
    try:
        statement = verify(data, trust.keys, trust.threshold).statement
    except SignatureError as error:
        untrusted = isinstance(error, UntrustedError)
        return replace(found, worth=Worth.BAD, why=str(error.args[0]), untrusted=untrusted)
    signed = statement.baseline
    if signed == baseline:
        return replace(found, worth=Worth.GOOD, why="", expires_ns=statement.expires_ns)
    if signed.revision != baseline.revision:
        why = f"nobody signed revision {baseline.revision}, only revision {signed.revision}"
        return replace(found, worth=Worth.UNSIGNED, why=why)
    return replace(found, worth=Worth.BAD, why="what was signed is something else")


if __name__ == "__main__":
    sys.exit(main())
