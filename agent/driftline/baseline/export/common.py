"""What every format of ``driftline baseline export`` starts from and ends in.

In: a baseline. Out: what it allows, sorted into what formats speak of (``Allowed``), the lines a file begins with, and
what a format cannot say (``Gap``). Pure, the same text for the same baseline. Why gaps are data and not prose: whoever
puts a policy in force must see what it does not do, in the file, on the terminal and in JSON alike. Next: one module a
format; ``formats`` lists them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from driftline.baseline.carry import repository
from driftline.baseline.format.canonical import version_of
from driftline.baseline.schema import Baseline, Standing
from driftline.errors import PermanentError
from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour
from driftline.text import escape

MAX_EXAMPLES = 3
"""Examples told of what a format cannot say: enough to know what it is about."""
MAX_NAME = 63
"""Characters of a Kubernetes label, the shortest name any of the formats wants (RFC 1123)."""
_DIGITS = 8  # of a digest in a name: as short ids everywhere

READ, WRITE = 1, 2


class ExportError(PermanentError):
    """The baseline cannot be said in this format, or an option it needs is missing."""

    exit_status = 2


class Effect(StrEnum):
    """What a gap does to the policy, seen from the baseline."""

    WIDER = "wider"  # the policy lets more pass than the baseline expects
    NARROWER = "narrower"  # the policy refuses or tells what the baseline expects
    UNSAID = "not covered"  # the policy says nothing about it, either way


@dataclass(frozen=True, slots=True)
class Gap:
    """Something of the baseline a format cannot say. ``examples`` are escaped; ``count`` 0: not a number of things."""

    what: str
    effect: Effect
    count: int = 0
    examples: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """One line for people."""
        more = ["…"] if self.count > len(self.examples) else []
        such = f" ({self.count}: {', '.join([*self.examples, *more])})" if self.count else ""
        return f"{self.effect.value}: {self.what}{such}"


class Gaps:
    """Gathers gaps while a format writes."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Effect], set[str]] = defaultdict(set)

    def add(self, what: str, effect: Effect, example: str = "") -> None:
        """Note one thing, or (no ``example``) a sentence that is always true of the format."""
        found = self._found[what, effect]
        if example:
            found.add(escape(example))

    def all(self) -> tuple[Gap, ...]:
        """Everything noted, in the order it came."""
        return tuple(
            Gap(what, effect, len(found), tuple(sorted(found)[:MAX_EXAMPLES]))
            for (what, effect), found in self._found.items()
        )


class Exported(NamedTuple):
    """A policy as text, and what it does not say."""

    text: str
    gaps: tuple[Gap, ...]


class Wanted(NamedTuple):
    """What only the user knows: whom a policy is for. ``base``: a seccomp profile to start from."""

    labels: tuple[tuple[str, str], ...] = ()
    namespace: str = ""
    name: str = ""
    base: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Allowed:
    """What a baseline expects, by what formats can speak of. All else was left out by standing."""

    baseline: Baseline
    image: Baseline | None = None  # of an overlay: what its image may do besides
    programs: list[str] = field(default_factory=list)  # paths of the image's files
    scripts: list[str] = field(default_factory=list)  # as they were called; what runs is their interpreter, a program
    foreign_programs: list[ExecBehaviour] = field(default_factory=list)
    execs: list[ExecBehaviour] = field(default_factory=list)
    opens: dict[str, int] = field(default_factory=dict)  # pattern → READ | WRITE
    libraries: list[str] = field(default_factory=list)
    foreign_libraries: list[LoadBehaviour] = field(default_factory=list)
    connects: list[ConnectBehaviour] = field(default_factory=list)
    others: tuple[tuple[Standing, int], ...] = ()  # how many behaviours of other standings there are

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it may be incomplete."""
        own = self.baseline.reasons
        return own if self.image is None else tuple(dict.fromkeys((*self.image.reasons, *own)))


def allowed(baseline: Baseline, image: Baseline | None = None) -> Allowed:
    """Sort what ``baseline`` allows, and ``image``, whose overlay it is; an open for writing allows reading too."""
    found = Allowed(baseline, image)
    both = [baseline] if image is None else [image, baseline]
    standings = [entry.standing for one in both for entry in one.entries.values()]
    found.others = tuple(
        (standing, standings.count(standing))
        for standing in Standing
        if standing is not Standing.ALLOWED and standing in standings
    )
    for behaviour in sorted({each for one in both for each in _allowed(one)}, key=repr):
        _sort_in(found, behaviour)
    found.programs = sorted({one.path for one in found.execs if not one.origin})
    found.scripts = sorted({one.invoked for one in found.execs if one.invoked.startswith("/")})
    found.opens = dict(sorted(found.opens.items()))
    return found


def _allowed(baseline: Baseline) -> Iterable[Behaviour]:
    return (behaviour for behaviour, entry in baseline.entries.items() if entry.standing is Standing.ALLOWED)


def _sort_in(found: Allowed, behaviour: Behaviour) -> None:
    match behaviour:
        case ExecBehaviour(origin=origin):
            found.execs.append(behaviour)
            if origin:
                found.foreign_programs.append(behaviour)
        case OpenBehaviour(path, access):
            found.opens[path] = found.opens.get(path, 0) | (WRITE | READ if access == "write" else READ)
        case LoadBehaviour(path, origin):
            if origin:
                found.foreign_libraries.append(behaviour)
            else:
                found.libraries.append(path)
        case ConnectBehaviour():
            found.connects.append(behaviour)


def name_of(baseline: Baseline, wanted: Wanted) -> str:
    """Return what the policy is called: as wanted, or ``driftline-nginx-ab12ab12``."""
    if wanted.name:
        return wanted.name
    last = repository(baseline.image).rpartition("/")[2] or "image"
    digits = re.sub(r"[^a-z0-9]+", "", baseline.key.partition(":")[2].lower())[:_DIGITS]
    plain = re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-") or "image"
    room = MAX_NAME - len("driftline--") - _DIGITS
    return f"driftline-{plain[:room].strip('-')}-{digits}".strip("-")


def head(found: Allowed, format: str, gaps: tuple[Gap, ...]) -> list[str]:
    """Return the lines a policy begins with, without comment signs: what it is of, how made, what it does not say."""
    baseline = found.baseline
    whom = f" of workload {escape(baseline.workload)}" if baseline.workload else ""
    lines = [
        f"{format} policy from the baseline of {escape(baseline.image or baseline.key)}{whom}",
        f"made by: driftline baseline export --format {format}",
        f"image: {escape(baseline.key)}",
        f"baseline: {version_of(baseline)} ({baseline.state.value}, revision {baseline.revision})",
    ]
    if found.image is not None:
        lines.append(f"with the image's own: {version_of(found.image)} ({found.image.state.value})")
    if reasons := found.reasons:
        lines.append(f"the baseline is partial: {', '.join(map(escape, reasons))}")
    lines += [f"not in it: what is {standing.value} ({count})" for standing, count in found.others]
    return lines + (["", "What this format cannot say:"] if gaps else []) + [f"- {gap.sentence}" for gap in gaps]


def commented(lines: Iterable[str]) -> str:
    """Return ``lines`` as comments of YAML, AppArmor and the like."""
    return "".join(f"# {line}\n" if line else "#\n" for line in lines)


def is_printable(text: str) -> bool:
    """Whether ``text`` can stand in YAML and JSON as it is: no control character, no byte that is not UTF-8."""
    return escape(text).replace("\\\\", "\\") == text


def to_yaml(document: Any) -> str:
    """Return one YAML document; only printable text may be in it."""
    import yaml

    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))
