"""``driftline baseline list`` and ``history``: which baselines there are, and how each became what it is.

In: the agent's state directory. Out: a table, or JSON. Reads only. Next: ``show`` for one of them.
"""

from __future__ import annotations

import json as jsonlib
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from driftline.baseline.format.canonical import version_of
from driftline.baseline.keeping.arrivals import Arrival
from driftline.baseline.keeping.history import Revision
from driftline.baseline.keeping.revoked import recall
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, Review, Standing, section_of
from driftline.cli.baseline import (
    NS,
    SHORT,
    Image,
    Json,
    day,
    find,
    is_complete,
    open_store,
    read_all,
    short_digest,
    span,
)
from driftline.cli.main import complain, printable
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.cli.stopping import until_nobody_reads
from driftline.cli.tables import fitted
from driftline.text import escape, plural
from driftline.wire.jsontext import wall_time

MAX_HISTORY = 50
"""Lines of history printed unless asked for more."""
SECTIONS = ("exec", "open", "load", "connect")
_HEADS = ("IMAGE", "DIGEST", "STATE", "REV", "COMPLETE", *map(str.upper, SECTIONS), "REVIEW", "SIGNED", "FROM", "AGE")
_LONG_ID = re.compile(rf"([0-9a-f]{{{SHORT}}})[0-9a-f]{{52}}$")  # as `show` takes it, too


def list_baselines(state_dir: StateDir = DEFAULT_STATE, json: Json = False) -> None:
    """List the baselines of this node.

    REVIEW: behaviours that wait for a person. SIGNED: signatures of just this revision, not verified (`show` tells by
    whom). FROM: containers it was learned from. AGE: since its first behaviour.
    """
    store = open_store(state_dir)
    baselines, damaged = read_all(store)
    signed = {one.name: _signatures(store, one) for one in baselines}
    now_ns = time.time_ns()
    with until_nobody_reads():
        if json:
            print(jsonlib.dumps([_summary(one) | {"signatures": signed[one.name]} for one in baselines]))
        else:
            _print(baselines, signed, now_ns)
    for error in damaged:
        complain(error)
    if damaged:
        sys.stdout.flush()
        raise typer.Exit(damaged[0].exit_status)


def _signatures(store: BaselineStore, baseline: Baseline) -> int:
    """Return how many signatures a baseline has as it is now."""
    if not store.is_signed(baseline):
        return 0
    from driftline.cli.baseline_trust import signed_by  # 50 ms that few lists need

    return len(signed_by(store.signatures(baseline), baseline, ()).ids)


def _print(baselines: list[Baseline], signed: dict[str, int], now_ns: int) -> None:
    if not baselines:
        print("no baselines")
        return
    ordered = sorted(baselines, key=_order)
    head, *lines = fitted([_HEADS, *(_row(one, signed[one.name], now_ns) for one in ordered)], names=2)
    print(head)
    for line, baseline in zip(lines, ordered, strict=True):
        print(line)
        if baseline.reasons:
            print(f"  partial: {', '.join(map(escape, baseline.reasons))}")


def _order(baseline: Baseline) -> tuple[str, str, str]:
    return baseline.image, baseline.key, baseline.workload


def _row(baseline: Baseline, signed: int, now_ns: int) -> tuple[str, ...]:
    counts = Counter(map(section_of, baseline.entries))
    image = escape(baseline.image or _LONG_ID.sub(r"\1", baseline.key))
    return (
        f"{image} + {escape(baseline.workload)}" if baseline.workload else image,
        short_digest(baseline.key),
        baseline.state.value,
        str(baseline.revision) if baseline.revision else "-",
        "partial" if baseline.reasons else "yes" if is_complete(baseline) else "-",
        *(str(counts[section]) for section in SECTIONS),
        str(_standing(baseline, Standing.NEEDS_REVIEW) or "-"),
        str(signed or "-"),
        str(len(baseline.containers)),
        _age(baseline, now_ns),
    )


def _standing(baseline: Baseline, standing: Standing) -> int:
    return sum(entry.standing is standing for entry in baseline.entries.values())


def _first(baseline: Baseline) -> int:
    return min((entry.first_ns for entry in baseline.entries.values() if entry.first_ns), default=0)


def _age(baseline: Baseline, now_ns: int) -> str:
    first = _first(baseline)
    return span((now_ns - first) // NS if first else 0)


def _summary(baseline: Baseline) -> dict[str, Any]:
    counts = Counter(map(section_of, baseline.entries))
    return {
        "name": escape(baseline.name),
        "key": escape(baseline.key),
        "image": escape(baseline.image),
        "workload": escape(baseline.workload),
        "state": baseline.state.value,
        "revision": baseline.revision,
        "version": version_of(baseline),
        "complete": is_complete(baseline),
        "reasons": list(map(escape, baseline.reasons)),
        "behaviours": {section: counts[section] for section in SECTIONS},
        "standing": {standing.value: _standing(baseline, standing) for standing in Standing},
        "containers": len(baseline.containers),
        "first": wall_time(first) if (first := _first(baseline)) else None,
    }


# --- history ----------------------------------------------------------------------------------------------------------


def history(
    image: Image,
    limit: Annotated[int, typer.Option(min=1, help="Latest decisions shown.")] = MAX_HISTORY,
    state_dir: StateDir = DEFAULT_STATE,
    json: Json = False,
) -> None:
    """Show who decided what about a baseline, when and why, oldest first. `diff IMAGE@3 IMAGE@4` shows what changed."""
    store = open_store(state_dir)
    baseline = find(store, image)
    steps = _steps(baseline, store.revisions(baseline.name), store.arrivals(baseline.name))[-limit:]
    bad = {one.version: escape(one.reason) for one in recall(str(state_dir)) if one.name == baseline.name}
    with until_nobody_reads():
        if json:
            print(jsonlib.dumps([_step_json(revision, review, bad) for revision, review in steps]))
            return
        for revision, review in steps:
            for line in _lines(revision, review, bad):
                print(line)
        if not steps:
            print("no revision and no decision yet: it is still being learned")


def _steps(
    baseline: Baseline, revisions: list[Revision], arrivals: list[Arrival]
) -> list[tuple[Revision | None, Review | None]]:
    """Every revision and every decision in order; a decision made while learning has no revision.

    A revision that was signed elsewhere is told as it first came here; what made it there is a decision like others.
    """
    first = {(one.revision, one.version): one.review for one in reversed(arrivals)}
    told = [one._replace(review=first.get((one.number, one.version), one.review)) for one in revisions]
    made = {revision.review for revision in told if revision.review}
    decisions = dict.fromkeys([*baseline.reviews, *(one.review for one in arrivals)])
    loose = [(review.wall_ns, None, review) for review in decisions if review not in made]
    numbered = [(one.review.wall_ns if one.review else 0, one, one.review) for one in told]
    together = sorted([*loose, *numbered], key=lambda step: (step[0], step[1].number if step[1] else 0))
    return [(revision, review) for _, revision, review in together]


def _lines(revision: Revision | None, review: Review | None, bad: Mapping[str, str]) -> Iterator[str]:
    """``bad``: why versions were revoked."""
    number = f"{revision.number:>4}" if revision else "   -"
    if revision and revision.damage:
        yield f"{number}  damaged: {printable(revision.damage)}"
        return
    if review:
        reason = f": {printable(review.reason)}" if review.reason else ""
        yield f"{number}  {day(review.wall_ns)}  {printable(review.author)}  {printable(review.action)}{reason}"
        if review.what:
            yield f"      {printable(review.what)}"
    if revision:
        partial = ", partial" if revision.partial else ""
        if revision.version in bad:
            partial += ", revoked"
        elif revision.interrupted:
            partial += ", never in force: interrupted"
        version = short_digest(revision.version)
        yield f"      {revision.state}, {plural(revision.behaviours, 'behaviour')}{partial}, sha256:{version}"


def _step_json(revision: Revision | None, review: Review | None, bad: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {"revision": revision.number if revision else None}
    if revision:
        values |= {
            "version": revision.version,
            "parent": revision.parent,
            "state": revision.state.value,
            "behaviours": revision.behaviours,
            "partial": revision.partial,
            "damage": escape(revision.damage),
            "interrupted": revision.interrupted and revision.version not in bad,
            "revoked": bad.get(revision.version),
        }
    if review:
        values |= {
            "at": wall_time(review.wall_ns),
            "author": escape(review.author),
            "action": escape(review.action),
            "reason": escape(review.reason),
            "what": escape(review.what),
        }
    return values
