"""A baseline as lines for a terminal: what needs a decision first, what packages explain folded into one line each.

In: a baseline, what is wanted of it. Out: lines, each with whether it is a heading; everything from containers is
escaped. Why folded: of 600 behaviours some 500 read or load files of packages, and nobody reviews 500 lines. Next:
``baseline_show`` prints them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from driftline.baseline.diff import split_package
from driftline.baseline.schema import LEARNED, Baseline, Entry, Standing, ordered, section_of
from driftline.baseline.wording import ID_DIGITS, id_of, shortened, text_of
from driftline.cli.baseline import day, label
from driftline.cli.baseline_head import facts
from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour
from driftline.text import escape
from driftline.verdict.checks.table import CHECKS

SECTIONS = ("exec", "open", "load", "connect")
MAX_LISTED = 100
"""Behaviours of one group on lines of their own; ``--all`` lists more."""
MIN_FOLDED = 6
"""Files of one package or directory from which one line stands for them."""

Line = tuple[str, bool]


class Wanted(NamedTuple):
    """Which behaviours, and how: ``everything`` lists each on its own line."""

    needs_review: bool = False
    section: str = ""
    everything: bool = False

    def includes(self, behaviour: Behaviour, entry: Entry) -> bool:
        """Whether a behaviour is among them."""
        if self.needs_review and entry.standing is not Standing.NEEDS_REVIEW:
            return False
        return not self.section or section_of(behaviour) == self.section


def lines(baseline: Baseline, wanted: Wanted, now_ns: int, signed: Sequence[str] = ()) -> Iterator[Line]:
    """Yield everything, the most important first. ``signed``: who signed it, a line each."""
    yield label(baseline), True
    for text in facts(baseline, now_ns, signed):
        yield text, False
    sections = ordered(each for each, entry in baseline.entries.items() if wanted.includes(each, entry))
    chosen = [each for name in SECTIONS for each in sections[name]]
    by_standing = {
        standing: [one for one in chosen if baseline.entries[one].standing is standing] for standing in Standing
    }
    yield from _review(baseline, by_standing[Standing.NEEDS_REVIEW])
    if wanted.needs_review and not chosen:
        yield "nothing needs review", True
    limit = len(chosen) if wanted.everything or wanted.section else MAX_LISTED
    unconfirmed = "unconfirmed: of packages that changed with the image; expected, told quietly until seen again"
    yield from _listed(baseline, unconfirmed, by_standing[Standing.UNCONFIRMED], limit)
    allowed = by_standing[Standing.ALLOWED]
    if wanted.everything or wanted.section:
        for name in SECTIONS:
            yield from _listed(baseline, name, [one for one in allowed if section_of(one) == name], limit)
    else:
        yield from _grouped(baseline, allowed)
    yield from _listed(baseline, "rejected: told whenever it happens", by_standing[Standing.REJECTED], limit)


# --- behaviours -------------------------------------------------------------------------------------------------------


def _review(baseline: Baseline, behaviours: list[Behaviour]) -> Iterator[Line]:
    """What waits for a person, with all there is to know about it."""
    if not behaviours:
        return
    yield "", False
    yield f"NEEDS REVIEW ({len(behaviours)}): told, and matching nothing, until somebody approves or rejects it", True
    for behaviour in behaviours:
        entry = baseline.entries[behaviour]
        yield f"  {id_of(behaviour)[:ID_DIGITS]}  {shortened(text_of(behaviour))}", False
        for check in entry.checks:
            yield f"{_INDENT}{_check(check)}", False
        yield f"{_INDENT}{_evidence(baseline, entry)}{_when(entry)}", False
        yield from _examples(entry)


def _check(check: str) -> str:
    known = CHECKS.get(check)
    if known is None:
        return f"{escape(check)}: a check this version does not know"
    technique = f" ({known.technique})" if known.technique else ""
    return f"{check} {known.title}{technique}: {known.reason}"


def _grouped(baseline: Baseline, behaviours: list[Behaviour]) -> Iterator[Line]:
    """What is expected; reads and loads that one package or directory explains are folded into one line."""
    execs = [one for one in behaviours if isinstance(one, ExecBehaviour)]
    writes = [one for one in behaviours if isinstance(one, OpenBehaviour) and one.access == "write"]
    reads = [one for one in behaviours if isinstance(one, OpenBehaviour) and one.access != "write"]
    loads = [one for one in behaviours if isinstance(one, LoadBehaviour)]
    connects = [one for one in behaviours if isinstance(one, ConnectBehaviour)]
    yield from _listed(baseline, "exec", execs, MAX_LISTED)
    yield from _listed(baseline, "connect", connects, MAX_LISTED)
    yield from _listed(baseline, "write", writes, MAX_LISTED)
    yield from _folded(baseline, "read", reads)
    yield from _folded(baseline, "load", loads)


def _listed(baseline: Baseline, heading: str, behaviours: Sequence[Behaviour], limit: int) -> Iterator[Line]:
    if not behaviours:
        return
    yield "", False
    yield _heading(heading, len(behaviours)), True
    yield from _each(baseline, behaviours, limit)


def _heading(heading: str, count: int) -> str:
    name, colon, rest = heading.partition(":")
    return f"{name} ({count}){colon}{rest}"


def _each(baseline: Baseline, behaviours: Sequence[Behaviour], limit: int) -> Iterator[Line]:
    for behaviour in behaviours[:limit]:
        entry = baseline.entries[behaviour]
        yield (
            f"  {id_of(behaviour)[:ID_DIGITS]}  {shortened(text_of(behaviour))}  ({_evidence(baseline, entry)})",
            False,
        )
        yield from _examples(entry)
    if len(behaviours) > limit:
        yield f"  and {len(behaviours) - limit} more (--all lists them)", False


def _folded(baseline: Baseline, heading: str, behaviours: list[OpenBehaviour] | list[LoadBehaviour]) -> Iterator[Line]:
    """One line for each package or directory that has many, then the others."""
    if not behaviours:
        return
    groups: dict[str, list[Behaviour]] = defaultdict(list)
    for behaviour in behaviours:
        groups[_explanation(behaviour, baseline.entries[behaviour])].append(behaviour)
    folded = {name: members for name, members in groups.items() if name and len(members) >= MIN_FOLDED}
    rest = [one for name, members in groups.items() if name not in folded for one in members]
    yield "", False
    yield _heading(heading, len(behaviours)), True
    for name, members in sorted(folded.items()):
        yield f"  {len(members):>8}  files {name}", False
    yield from _each(baseline, _sorted(rest), MAX_LISTED)
    if folded:
        yield "  (--all or --section lists each)", False


def _explanation(behaviour: OpenBehaviour | LoadBehaviour, entry: Entry) -> str:
    """What makes it one of many: its package, else its directory; nothing does for a pattern or a foreign file."""
    if entry.examples or entry.checks or (isinstance(behaviour, LoadBehaviour) and behaviour.origin):
        return ""
    if entry.package:
        return f"of {package_name(entry.package)}"
    return f"in {shortened(escape(behaviour.path.rpartition('/')[0] or '/'))}"


def _sorted(behaviours: Iterable[Behaviour]) -> list[Behaviour]:
    sections = ordered(behaviours)
    return [each for name in SECTIONS for each in sections[name]]


def _evidence(baseline: Baseline, entry: Entry) -> str:
    """How often, in how many containers, whose file it is, where it is from if not learned."""
    seen = f"{entry.count}× in {len(entry.containers)} of {len(baseline.containers)}"
    parts = [seen if entry.count else "not seen yet"]
    parts += [package_name(entry.package)] if entry.package else []
    parts += [escape(entry.source)] if entry.source != LEARNED else []
    parts += [f"approved despite {', '.join(map(escape, entry.checks))}"] if _approved(entry) else []
    return ", ".join(parts)


def _when(entry: Entry) -> str:
    return f", {day(entry.first_ns)} to {day(entry.last_ns)} UTC" if entry.first_ns else ""


def _approved(entry: Entry) -> bool:
    return entry.standing is Standing.ALLOWED and bool(entry.checks)


def package_name(package: str) -> str:
    """``pkg:deb/debian/libc6@2.36-9?arch=amd64`` → ``libc6 2.36-9``, escaped."""
    name, version = split_package(package)
    short = name.rpartition("/")[2] if name.startswith("pkg:") else name
    return escape(f"{unquote(short)} {unquote(version)}".strip())


def _examples(entry: Entry) -> Iterator[Line]:
    if entry.examples:
        yield f"{_INDENT}such as {', '.join(shortened(escape(one)) for one in entry.examples)}", False


_INDENT = " " * (2 + ID_DIGITS + 2)
