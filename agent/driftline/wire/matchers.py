"""Conditions on a deviation, as people write them for a silence.

In: ``kind=exec.unknown``, ``image~nginx``. Out: a ``Matcher`` message; whether a deviation fulfils it. Why no regular
expressions: what they are run on is a stranger's text, and one that takes a second would hold up every tail. Next:
``cli.silence`` writes them, the collector's ``silences`` asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from driftline.errors import SettingsError
from driftline.text import escape
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2

VALUE_CHARACTERS: Final = 4096
"""Longest value: the longest path fits."""

_OPERATORS: Final = {
    "!=": pb.MATCHER_OPERATOR_NOT_EQUAL,
    "!~": pb.MATCHER_OPERATOR_NOT_CONTAINS,
    "=": pb.MATCHER_OPERATOR_EQUAL,
    "~": pb.MATCHER_OPERATOR_CONTAINS,
}
_SIGNS: Final = {number: sign for sign, number in _OPERATORS.items()}
_NEGATED: Final = frozenset({pb.MATCHER_OPERATOR_NOT_EQUAL, pb.MATCHER_OPERATOR_NOT_CONTAINS})
_FORM = re.compile(r"([a-z0-9_]+)(!=|!~|=|~)(.*)", re.DOTALL)


_SEVERITIES: Final = {number: name.removeprefix("SEVERITY_").lower() for name, number in deviation_pb2.Severity.items()}


def _severity(deviation: deviation_pb2.Deviation) -> str:
    return _SEVERITIES.get(deviation.severity, "")  # a newer agent may know more of them


FIELDS: Final[dict[str, Callable[[deviation_pb2.Deviation], Iterable[str]]]] = {
    "kind": lambda one: (one.kind,),
    "severity": lambda one: (_severity(one),),
    "node": lambda one: (one.node,),
    "namespace": lambda one: (one.subject.namespace,),
    "pod": lambda one: (one.subject.pod,),
    "container": lambda one: (one.subject.name, one.subject.container_id),
    "workload": lambda one: (one.subject.workload,),
    "image": lambda one: (one.subject.image, one.subject.image_digest),
    "what": lambda one: (one.what,),
    "exe": lambda one: (one.exe,),
    "check": lambda one: one.checks,
    "sha256": lambda one: (one.sha256,),
}
"""What can be asked for; each is one text or several, of which one has to fit."""


def parse_matcher(text: str) -> pb.Matcher:
    """Return the matcher that ``text`` means. Raises SettingsError."""
    found = _FORM.fullmatch(text)
    if found is None:
        hint = "write FIELD=TEXT, FIELD!=TEXT, FIELD~PART or FIELD!~PART, like kind=exec.unknown or image~nginx"
        raise SettingsError(f"'{escape(text)}' is no matcher", hint)
    field, sign, value = found.groups()
    matcher = pb.Matcher(field=field, operator=_OPERATORS[sign], value=escape(value))
    if wrong := fault(matcher):
        raise SettingsError(f"matcher '{escape(text)}': {wrong}")
    return matcher


def fault(matcher: pb.Matcher) -> str:
    """Return what is wrong with ``matcher``, "" if nothing is."""
    if matcher.field not in FIELDS:
        return f"there is no field '{escape(matcher.field[:64])}'; there are {', '.join(FIELDS)}"
    if matcher.operator not in _SIGNS:
        return "unknown operator"
    if not matcher.value:
        return "the value is empty"
    if len(matcher.value) > VALUE_CHARACTERS or "\0" in matcher.value:
        return f"the value is longer than {VALUE_CHARACTERS} characters or holds a NUL"
    return ""


def shown(matcher: pb.Matcher) -> str:
    """Return ``matcher`` as people write it, printable whoever wrote the message."""
    value = matcher.value if matcher.value.isprintable() else escape(matcher.value)
    return f"{escape(matcher.field)}{_SIGNS.get(matcher.operator, '?')}{value}"


def matches(matcher: pb.Matcher, deviation: deviation_pb2.Deviation) -> bool:
    """Whether ``deviation`` fulfils ``matcher``; never, if this version does not know what it asks for."""
    texts = FIELDS.get(matcher.field)
    if texts is None or matcher.operator not in _SIGNS:
        return False
    negated, value = matcher.operator in _NEGATED, matcher.value
    if matcher.operator in (pb.MATCHER_OPERATOR_CONTAINS, pb.MATCHER_OPERATOR_NOT_CONTAINS):
        found = any(value in text for text in texts(deviation))
    else:
        found = any(text == value for text in texts(deviation))
        if matcher.field == "kind" and not found:
            found = deviation.kind.startswith(f"{value}.")
    return found != negated
