"""Baseline ↔ YAML a person reads, reviews and keeps in git: one line per behaviour, everything sorted.

In: a ``Baseline``, or text somebody edited. Out: the other. Why not a YAML library for writing: quoted JSON strings in
flow mappings are YAML, a line each, ten times as fast, and the agent never loads a YAML parser. Text is escaped
(``driftline.text``), so that no name can forge a line. Next: ``store``, later review, import and export.
"""

from __future__ import annotations

import json

from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.document import from_document, to_document
from driftline.baseline.format.plaintext import CODEC, MAX_PLAIN_FILE
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.schema import Baseline
from driftline.text import escape

_HEADER = """\
# Driftline baseline: what containers of this image were seen to do.
# Text is escaped: \\\\ is a backslash, \\xNN a byte that is no UTF-8 or a control character, \\u{N} unprintable.
# The path of an open is a pattern: {num} and the like stand for tokens, * for a part of a name, /** for all below.
# "containers" of an entry are places in the list above it; "count" is how often it reached the agent.
"""


def to_yaml(baseline: Baseline) -> str:
    """Return ``baseline`` as YAML; ``from_yaml`` reverses it without loss."""
    lines = [_HEADER]
    for reason in baseline.reasons:
        lines.append(f"# PARTIAL: {escape(reason)}\n")
    for name, value in to_document(baseline, version_of(baseline), CODEC).items():
        lines.extend(_section(name, value))
    return "".join(lines)


def _section(name: str, value: object) -> list[str]:
    if not isinstance(value, list) or not value:
        return [f"{name}: {_scalar(value)}\n"]
    return [f"\n{name}:\n", *(f"  - {_flow(item)}\n" for item in value)]


def _flow(item: object) -> str:
    if isinstance(item, dict):
        return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in item.items()) + "}"
    return _scalar(item)


def _scalar(value: object) -> str:
    """JSON of a value: also YAML, for ``escape`` left nothing that YAML would not print."""
    return json.dumps(value, ensure_ascii=False)


def from_yaml(text: str) -> Baseline:
    """Return the baseline written in ``text``; its ``version`` line is not checked, for people edit these files.

    Raises DocumentError naming the line or field for anything that is no baseline, anchors and aliases included.
    """
    from driftline.baseline.format.yamlplain import plain_values  # a YAML parser takes 3 MiB the agent rarely needs

    if len(text) > MAX_PLAIN_FILE:
        raise DocumentError(f"{len(text)} characters, at most {MAX_PLAIN_FILE} allowed")
    baseline, _version = from_document(plain_values(text), CODEC)
    return baseline
