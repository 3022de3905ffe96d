"""A version goes out of force on this node, for good.

In: a revocation. Out: it is remembered; in its place is the newest earlier revision that may be in force, or nothing:
then the image is learned anew, with the never-learned checks. Runs in the child. Why remembered first: a crash after
that leaves something to be done again, never a revoked version that comes back. Next: ``inherited``, for newer images;
``revoked``, ``store``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

from driftline.baseline.beginning import JUDGES
from driftline.baseline.decisions import retire, roll_back
from driftline.baseline.format.canonical import version_of
from driftline.baseline.keeping import history
from driftline.baseline.keeping.promotion import POLICY
from driftline.baseline.keeping.revoked import Revoked, reason_of, recall, remember
from driftline.baseline.keeping.store import MSGPACK, BaselineStore, made_by
from driftline.baseline.keeping.writing import AGENT
from driftline.baseline.receiving.apart import Answer, Became, Request
from driftline.baseline.receiving.inherited import ACTION, review_inherited
from driftline.baseline.receiving.publishing import trusted
from driftline.baseline.schema import Baseline, State
from driftline.baseline.signing import memory, revocation
from driftline.baseline.signing.judged import kept_directory
from driftline.baseline.signing.verification import verify
from driftline.errors import SignatureError, StateError
from driftline.text import escape, unescape

ANEW = "the image is learned anew"


def revoke(request: Request) -> Answer:
    """Take a version out of force. Raises StateError, SignatureError, DocumentError, ValueError, OSError."""
    revoked = _read(request)
    forgotten = remember(request.state_dir, revoked)
    was_kept = _forget_kept(request.state_dir, revoked)
    store = BaselineStore(request.state_dir, by_hand=True)
    now = _replace(store, request, revoked) or (ANEW if was_kept else "")
    return Answer(
        became=Became.TAKEN,
        reason=escape(revoked.reason),
        now=now,
        inherited=review_inherited(store, revoked),
        forgotten=forgotten,
    )


def _read(request: Request) -> Revoked:
    """What is revoked, and why: as it was signed, where this node asks for that."""
    if request.envelope and not request.unsigned:
        found = revocation.read(base64.b64decode(request.envelope), trusted(request), request.threshold)
        if (escape(found.name), found.version) != (request.name, request.version):
            raise SignatureError("another version than the one that was signed")
        return Revoked(found.name, found.version, found.reason)
    if not request.unsigned:
        raise SignatureError("nobody signed this revocation, and this node takes only what is signed")
    return Revoked(unescape(request.name), request.version, unescape(request.reason))


def _forget_kept(state_dir: str, revoked: Revoked) -> bool:
    """Let the version not come back as the last good one; whether it was that."""
    kept = history.header(kept_directory(state_dir, revoked.name) / MSGPACK)
    if kept is None or kept.version != revoked.version:
        return False
    memory.forget(state_dir, revoked.name)
    return True


def _replace(store: BaselineStore, request: Request, revoked: Revoked) -> str:
    """Put something else in the place of the version; return what, "" if it is not in force here."""
    if not (store.directory(revoked.name) / MSGPACK).exists():
        return ""
    with store.locked(revoked.name):
        current = store.load_one(revoked.name)
        if isinstance(current, StateError) or current is None or current.state not in JUDGES:
            return ""
        if version_of(current) != revoked.version:
            return ""
        old = _earlier(store, current, request)
        if old is None:
            store.commit(retire(current), AGENT, ACTION, revoked.reason, revoked.version)
            return ANEW
        if store.is_signed(old):
            store.put_back(old, made_by(AGENT, ACTION, revoked.reason, f"revision {old.revision}"))
        else:
            new = replace(roll_back(current, old), state=old.state)
            store.commit(new, AGENT, ACTION, revoked.reason, f"revision {old.revision}")
        return f"what revision {old.revision} expects is in force"


def _earlier(store: BaselineStore, current: Baseline, request: Request) -> Baseline | None:
    """The newest revision before ``current`` that may be in force; None if there is none."""
    known, fits = recall(request.state_dir), _fits(store, request)
    for one in reversed(store.revisions(current.name)):
        if one.number >= current.revision or one.damage or one.interrupted or one.state not in JUDGES:
            continue
        if reason_of(known, current.name, one.version) is None:
            old = store.read_revision(current.name, one.number)
            if fits(old):
                return old
    return None


def _fits(store: BaselineStore, request: Request) -> Callable[[Baseline], bool]:
    """Whether an older revision may be in force: where signatures are required, one that is signed, or that the node
    learned itself."""
    if not request.required:
        return lambda old: old.state is not State.LEARNING
    keys = trusted(request)

    def fits(old: Baseline) -> bool:
        envelope = store.signatures_then(old)
        if envelope is None:
            return bool(old.reviews) and old.reviews[-1].author in {AGENT, POLICY}
        try:
            return verify(envelope, keys, request.threshold).statement.baseline == old
        except SignatureError:
            return False

    return fits
