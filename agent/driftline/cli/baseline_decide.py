"""``driftline baseline approve``, ``reject`` and ``excuse``: what a person decides about single behaviours and checks.

In: an image or a file and which of its behaviours, by id, text or check; a reason. Out: a new revision, which the agent
takes over within two seconds. Next: ``baseline.decisions``, ``baseline_deciding``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from driftline.baseline.decisions import (
    DecisionError,
    any_content,
    needing_review,
    select,
    with_excuse,
    with_standing,
    without_excuse,
)
from driftline.baseline.matching import Matcher
from driftline.baseline.schema import Baseline, Excuse, Standing
from driftline.baseline.wording import shortened, text_of
from driftline.cli.authors import author_or_default
from driftline.cli.baseline import Author, Reason, checked_reason, day, label, numbered
from driftline.cli.baseline_deciding import ImageOrFile, Output, deciding
from driftline.cli.moments import expiry
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.nouns import Behaviour
from driftline.text import escape, plural
from driftline.verdict.checks.table import CHECKS

MAX_WHAT = 10
"""Behaviours named in a decision's record and on the terminal; the revision holds all of them."""

_Which = Annotated[
    list[str] | None, typer.Argument(metavar="BEHAVIOUR", help="Ids or exact texts, as `show` prints them.")
]
_OfCheck = Annotated[str, typer.Option(metavar="ID", help="All that need review because of this check (NL-08).")]
_All = Annotated[bool, typer.Option("--all-needs-review", help="All that need review.")]
_AnyContent = Annotated[
    bool, typer.Option("--any-content", help="Also programs that are not the image's: whatever lies at their path.")
]


def approve(
    image: ImageOrFile,
    reason: Reason,
    which: _Which = None,
    check: _OfCheck = "",
    all_needs_review: _All = False,
    any_content: _AnyContent = False,
    author: Author = "",
    output: Output = None,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Approve behaviours: from now on they are expected of this image."""
    chosen = _Chosen(which, check, all_needs_review, any_content)
    _decide("approve", Standing.ALLOWED, image, chosen, reason, author, output, state_dir)


def reject(
    image: ImageOrFile,
    reason: Reason,
    which: _Which = None,
    check: _OfCheck = "",
    all_needs_review: _All = False,
    author: Author = "",
    output: Output = None,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Reject behaviours: they are told whenever they happen, and never learned again."""
    chosen = _Chosen(which, check, all_needs_review, any_content=True)
    _decide("reject", Standing.REJECTED, image, chosen, reason, author, output, state_dir)


class _Chosen(NamedTuple):
    """What a person decides about. ``any_content``: code that is not the image's, too."""

    which: list[str] | None
    check: str
    everything: bool
    any_content: bool


_DONE = {Standing.ALLOWED: "approved", Standing.REJECTED: "rejected"}


def _decide(
    action: str,
    standing: Standing,
    image: str,
    wanted: _Chosen,
    reason: str,
    author: str,
    output: Path | None,
    state_dir: Path,
) -> None:
    reason = checked_reason(reason)
    with deciding(image, output, state_dir) as (baseline, commit, where):
        chosen = [one for one in _chosen(baseline, wanted) if _stands(baseline, one) is not standing]
        if not chosen:
            print(f"nothing to {action} for {label(baseline)}")
            return
        if not wanted.any_content:
            _only_of_image(chosen)
        changed = with_standing(baseline, chosen, standing)
        new = commit(changed, author_or_default(author), action, reason, _what(chosen, wanted.check))
    print(f"{label(new)}: {numbered(new)}{where}; {_DONE[standing]} {plural(len(chosen), 'behaviour')}:")
    _list(chosen)
    if standing is Standing.REJECTED:
        _still_expected(new, chosen)


def _stands(baseline: Baseline, behaviour: Behaviour) -> Standing:
    return baseline.entries[behaviour].standing


def _chosen(baseline: Baseline, wanted: _Chosen) -> list[Behaviour]:
    which, check, everything, _any_content = wanted
    if sum(map(bool, (which, check, everything))) != 1:
        raise DecisionError("say which behaviours: ids or texts, or --check, or --all-needs-review", "one of the three")
    return select(baseline, which) if which else needing_review(baseline, known_check(check) if check else "")


def _only_of_image(chosen: list[Behaviour]) -> None:
    """Content that is not the image's cannot be vouched for by its path."""
    foreign = any_content(chosen)
    if foreign:
        named = "; ".join(shortened(text_of(one)) for one in foreign[:MAX_WHAT])
        raise DecisionError(
            f"{plural(len(foreign), 'program')} not of the image: whatever lies at that path later would be allowed too"
            f": {named}",
            "put it into the image; --any-content approves it nevertheless",
        )


def _what(chosen: list[Behaviour], check: str) -> str:
    """What the decision was about, for the baseline's history."""
    names = [shortened(text_of(one)) for one in chosen[:MAX_WHAT]]
    more = [f"and {len(chosen) - MAX_WHAT} more"] if len(chosen) > MAX_WHAT else []
    return (f"{check}: " if check else "") + "; ".join([*names, *more])


def _list(chosen: list[Behaviour]) -> None:
    for behaviour in chosen[:MAX_WHAT]:
        print(f"  {shortened(text_of(behaviour))}")
    if len(chosen) > MAX_WHAT:
        print(f"  and {len(chosen) - MAX_WHAT} more")


def _still_expected(baseline: Baseline, rejected: list[Behaviour]) -> None:
    """A wider pattern may let pass what was rejected."""
    matcher = Matcher(baseline.entries)
    passed = [behaviour for behaviour in rejected if behaviour in matcher]
    if passed:
        print("still expected, because a pattern or another behaviour covers it; reject that too, or edit it:")
        _list(passed)


# --- checks -----------------------------------------------------------------------------------------------------------


def excuse(
    image: ImageOrFile,
    check: Annotated[str, typer.Option(metavar="ID", help="The check, NL-08.")],
    reason: Reason,
    expires: Annotated[str, typer.Option(metavar="WHEN", help="30d, 12h, a date (2027-01-31), or never.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Take the excuse back: the check fires again.")] = False,
    author: Author = "",
    output: Output = None,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Excuse a check for this image: it does not fire until the excuse expires. Or take an excuse back."""
    reason, who = checked_reason(reason), author_or_default(author)
    with deciding(image, output, state_dir) as (baseline, commit, where):
        if remove:
            changed, action = without_excuse(baseline, _excused(baseline, check)), "unexcuse"
        else:
            known, until = known_check(check), expiry(expires, time.time_ns())
            changed, action = with_excuse(baseline, Excuse(known, reason, who, until)), "excuse"
        new = commit(changed, who, action, reason, check)
    print(f"{label(new)}: {numbered(new)}{where}; {check} {_said(new, check)}")
    if not remove and (waiting := len(needing_review(new, check))):
        print(f"{plural(waiting, 'behaviour')} still need review because of it: approve or reject --check {check}")


def _said(baseline: Baseline, check: str) -> str:
    excuse = next((one for one in baseline.excuses if one.check == check), None)
    if excuse is None:
        return "fires again"
    return f"is excused until {day(excuse.expires_ns)}" if excuse.expires_ns else "is excused for good"


def _excused(baseline: Baseline, check: str) -> str:
    excused = [one.check for one in baseline.excuses]
    if check not in excused:
        raise DecisionError(f"{escape(check)} is not excused", f"excused: {', '.join(excused) or 'nothing'}")
    return check


def known_check(check: str) -> str:
    """Return ``check`` if there is such a check. Raises DecisionError."""
    if check not in CHECKS:
        raise DecisionError(f"there is no check {escape(check)}", f"one of {', '.join(CHECKS)}")
    return check
