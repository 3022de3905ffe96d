"""Baseline ↔ JSON for tools: one document, the same fields and the same escaped text as the YAML.

In: a ``Baseline``, or text of any origin. Out: the other. Why not ``json.loads`` alone: it takes the last of two equal
keys, and NaN, and as many empty objects as fit. baselines/schema.json describes the form. Next: import and export.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.document import from_document, to_document
from driftline.baseline.format.plaintext import CODEC, MAX_PLAIN_FILE
from driftline.baseline.format.reading import DocumentError, shown
from driftline.baseline.schema import MAX_BEHAVIOURS, Baseline

_MAX_OPENED = 10 * MAX_BEHAVIOURS
"""Brackets and braces in the text, those in names included: each opened costs up to 64 bytes, but its writer one."""
_MAX_COMMAS = 30 * MAX_BEHAVIOURS
"""Values: 14 fields for each behaviour, and room for containers. Each costs up to 200 bytes before it is looked at."""


def to_json(baseline: Baseline) -> str:
    """Return ``baseline`` as JSON, ending in a newline; ``from_json`` reverses it without loss."""
    return json.dumps(to_document(baseline, version_of(baseline), CODEC), ensure_ascii=False, indent=1) + "\n"


def from_json(text: str) -> Baseline:
    """Return the baseline written in ``text``; its ``version`` is not checked, for people edit these files.

    Raises DocumentError naming the line or field for anything that is no baseline.
    """
    baseline, _version = from_document(parse(text), CODEC)
    return baseline


def parse(text: str) -> object:
    """Return the plain values in ``text``, each key once. Raises DocumentError for what is not JSON, or too large."""
    if len(text) > MAX_PLAIN_FILE:
        raise DocumentError(f"{len(text)} characters, at most {MAX_PLAIN_FILE} allowed")
    if text.count("{") + text.count("[") > _MAX_OPENED or text.count(",") > _MAX_COMMAS:
        raise DocumentError("more lists, objects or values than a baseline can have")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse, parse_float=_refuse)
    except RecursionError as error:
        raise DocumentError("not JSON: nested too deeply") from error
    except DocumentError:
        raise
    except ValueError as error:
        raise DocumentError(f"not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise DocumentError(f"key {shown(name)} twice in one object")
        found[name] = value
    return found


def _refuse(text: str) -> NoReturn:
    raise DocumentError(f"{shown(text)}: a baseline holds whole numbers only")
