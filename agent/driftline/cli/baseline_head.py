"""What a baseline is, in ten lines: the head of ``driftline baseline show``.

In: a baseline. Out: lines. Next: ``baseline_text`` puts the behaviours below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from driftline.baseline.format.canonical import version_of
from driftline.baseline.schema import Baseline, Excuse, State
from driftline.cli.baseline import NS, day, is_complete
from driftline.cli.main import printable
from driftline.text import escape, plural
from driftline.verdict.checks.table import CHECKS

LABEL_WIDTH = 12


def facts(baseline: Baseline, now_ns: int, signed: Sequence[str] = ()) -> Iterator[str]:
    """Yield what there is to know before its behaviours. ``signed``: who signed it, a line each."""
    for name, text in (*_facts(baseline, now_ns), *(("signed", text) for text in signed)):
        yield f"{name:<{LABEL_WIDTH}}{text}"


def _facts(baseline: Baseline, now_ns: int) -> Iterator[tuple[str, str]]:
    yield "image", escape(baseline.key)
    yield "state", _state(baseline)
    yield "version", version_of(baseline)
    whole = "yes" if is_complete(baseline) else "not yet"
    yield "complete", f"no: {', '.join(map(escape, baseline.reasons))}" if baseline.reasons else whole
    starts = plural(baseline.startups, "complete start-up")
    containers = plural(len(baseline.containers), "container")
    yield (
        "learned",
        f"{_span(baseline.elapsed_ns)} from {containers}, {starts}, nothing new for {_span(baseline.quiet_ns)}",
    )
    seen = [entry for entry in baseline.entries.values() if entry.first_ns]  # what a person wrote was not
    if seen:
        first, last = min(entry.first_ns for entry in seen), max(entry.last_ns for entry in seen)
        yield "seen", f"{day(first)} to {day(last)} UTC"
    if baseline.predecessor:
        yield "began with", f"the baseline of {escape(baseline.predecessor)}"
    if baseline.packages:
        yield "packages", str(len(baseline.packages))
    for excuse in baseline.excuses:
        yield "excused", _excuse(excuse, now_ns)
    if baseline.reviews:
        last_review = baseline.reviews[-1]
        what = f"{printable(last_review.action)} by {printable(last_review.author)}, {day(last_review.wall_ns)}"
        yield "decisions", f"{len(baseline.reviews)}, the last: {what}: {printable(last_review.reason)}"


def _state(baseline: Baseline) -> str:
    said = {
        State.LEARNING: "still being learned",
        State.CANDIDATE: "no person has approved it yet",
        State.ACTIVE: "approved",
        State.RETIRED: "not used any more",
    }
    number = f", revision {baseline.revision}" if baseline.revision else ""
    return f"{baseline.state}{number} ({said[baseline.state]})"


def _excuse(excuse: Excuse, now_ns: int) -> str:
    over = 0 < excuse.expires_ns <= now_ns
    until = f"until {day(excuse.expires_ns)}" if excuse.expires_ns else "for good"
    expired = "EXPIRED, it fires: " if over else ""
    title = f" ({CHECKS[excuse.check].title})" if excuse.check in CHECKS else ""
    reason = f"{printable(excuse.author)}: {printable(excuse.reason)}"
    return f"{expired}{escape(excuse.check)}{title} {until}, {reason}"


def _span(span_ns: int) -> str:
    minutes, seconds = divmod(span_ns // NS, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "m"), (seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
