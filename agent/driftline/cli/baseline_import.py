"""``driftline baseline import``: a baseline from a file, put in force on this node.

In: a file. Out: a new revision of the node's baseline, or the very revision that was signed. An import never widens a
baseline silently: it shows what differs, and refuses what expects more unless told to. Next: ``baseline.decisions``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.decisions import needing_review, take_in
from driftline.baseline.keeping.store import BaselineStore, made_by
from driftline.baseline.schema import Baseline, Review
from driftline.baseline.signing.keys import PublicKey
from driftline.baseline.signing.verification import read_envelope, read_statement, revision_in, verify
from driftline.cli.authors import author_or_default
from driftline.cli.baseline import (
    Author,
    checked_reason,
    day,
    label,
    load,
    numbered,
    open_store,
)
from driftline.cli.baseline_life import Widen, refuse_to_widen
from driftline.cli.baseline_trust import Keys, Threshold, Trust, trusted
from driftline.cli.baselinefile import read_baseline, read_signed
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.errors import SignatureError
from driftline.text import escape, plural


def import_baseline(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML, JSON or msgpack; or a signed file.")],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; kept in the baseline's history. A signed file needs none.")
    ] = "",
    widen: Widen = False,
    author: Author = "",
    key: Keys = None,
    trust: Trust = None,
    threshold: Threshold = 1,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Put the baseline in a file in force, and show what it changes.

    One that expects more than what is in force now is refused without --widen. A signed file is put in force exactly as
    it is, with its signatures; it is verified if keys are trusted, and needs no --widen then.
    """
    store = open_store(state_dir)
    signed = read_signed(file)
    if signed is not None:
        came = made_by(author_or_default(author), "import", reason.strip(), escape(file.name))
        _import_signed(store, signed, trusted(key, trust, state_dir), threshold, widen, came)
        return
    reason, given = checked_reason(reason), read_baseline(file)
    with store.locked(given.name):
        current = load(store, given.name) if store.load_one(given.name) is not None else None
        new = take_in(current, given)
        if current is None:
            print(f"new here: {_counted(new)}")
        elif refuse_to_widen(current, new, widen).same and new.state is current.state:
            return
        new = store.commit(new, author_or_default(author), "import", reason, escape(file.name))
    print(f"{label(new)}: {numbered(new)}")
    if waiting := len(needing_review(new)):
        print(f"{plural(waiting, 'behaviour')} need review, and match nothing until then")


def _import_signed(
    store: BaselineStore, data: bytes, keys: tuple[PublicKey, ...], threshold: int, widen: bool, came: Review
) -> None:
    if keys:
        statement, by = verify(data, keys, threshold)
    else:
        statement, by = read_statement(read_envelope(data)), ()
        print("its signatures are NOT verified: no keys are trusted here (--key, --trust)")
    given, expires_ns = statement
    if 0 < expires_ns <= time.time_ns():
        raise SignatureError(f"it expired on {day(expires_ns)} UTC", "have it signed again")
    with store.locked(given.name):
        current = load(store, given.name) if store.load_one(given.name) is not None else None
        if current is None:
            print(f"new here: {_counted(given)}")
        else:
            refuse_to_widen(current, given, widen or bool(by))
        store.install(given, data, revision_in, came)
    print(f"{label(given)}: {numbered(given)}")
    for one in by:
        print(f"signed by {one.id} ({escape(one.name)})")


def _counted(baseline: Baseline) -> str:
    return f"{plural(len(baseline.entries), 'behaviour')} of {label(baseline)}"
