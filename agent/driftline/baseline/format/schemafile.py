"""baselines/schema.json: the JSON Schema of a baseline document, written from the tables of ``fields``.

In: the tables. Out: the text of the file. Why: a schema kept by hand would say something else than the reader one day.
The reader refuses more: patterns too wide, a second entry for a behaviour, places that do not exist. Next:
docs/generate.py writes it, tests/unit/baseline compares.
"""

from __future__ import annotations

import json
from typing import Any

from driftline.baseline.format.fields import (
    BEHAVIOUR,
    CONTAINERS,
    EVIDENCE,
    EXCUSE,
    EXCUSES,
    HEAD,
    PACKAGES,
    REVIEW,
    REVIEWS,
    Field,
    Form,
)
from driftline.baseline.format.plaintext import EPHEMERAL_WORD
from driftline.baseline.format.reading import MAX_NUMBER, MAX_TEXT
from driftline.baseline.schema import FORMAT, MAX_BEHAVIOURS, SOURCES, Standing, State
from driftline.nouns import Origin

Schema = dict[str, Any]
_LONGEST_ESCAPE = 10  # \u{10ffff}
_ESCAPED = r"^(?:[^\\\u0000-\u001f\u007f-\u00a0\u00ad]|\\\\|\\x[0-9a-f]{2}|\\u\{[0-9a-f]{1,6}\})*$"
_NOT_UP = {"not": {"pattern": r"(?:^|/)\.\.(?:/|$)"}}
_TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT * _LONGEST_ESCAPE, "pattern": _ESCAPED}
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z$"
_NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER}
_FORMS: dict[Form, Schema] = {
    Form.TEXT: {"$ref": "#/$defs/text"},
    Form.PATH: {"$ref": "#/$defs/path"},
    Form.PATTERN: {"$ref": "#/$defs/path"},
    Form.ADDRESS: {"$ref": "#/$defs/text"},
    Form.ACCESS: {"enum": ["read", "write"]},
    Form.ORIGIN: {"enum": sorted(frozenset(Origin) - {Origin.IMAGE})},
    Form.PORT: {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 65_535}, {"const": EPHEMERAL_WORD}]},
    Form.FLAG: {"type": "boolean"},
    Form.NUMBER: {"$ref": "#/$defs/number"},
    Form.TIME: {"$ref": "#/$defs/time"},
    Form.STATE: {"enum": list(State)},
    Form.STANDING: {"enum": list(Standing)},
    Form.SOURCE: {"enum": sorted(SOURCES)},
}


def schema_text() -> str:
    """Return baselines/schema.json."""
    return json.dumps(_schema(), indent=2) + "\n"


def _schema() -> Schema:
    records = {EXCUSES.name: _object(EXCUSE), REVIEWS.name: _object(REVIEW)}
    sections = {name: _object((*fields, *EVIDENCE)) for name, fields in BEHAVIOUR.items()}
    whole = _object((*HEAD, CONTAINERS, EXCUSES, REVIEWS, PACKAGES))
    whole["properties"] |= {
        "format": {"const": FORMAT},
        "version": _FORMS[Form.TEXT],
        **{field.name: _list(records[field.name], field.limit) for field in (EXCUSES, REVIEWS)},
        **{name: _list({"$ref": f"#/$defs/{name}"}, MAX_BEHAVIOURS) for name in sections},
    }
    whole["required"] = ["format", "version", *whole["required"], *sections]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Driftline baseline",
        "description": "What containers of one image may do: see README.md beside this. Written by docs/generate.py.",
        **whole,
        "$defs": {
            "text": _TEXT,
            "path": {**_TEXT, **_NOT_UP},
            "number": _NUMBER,
            "time": {"type": "string", "pattern": _TIME},
            **sections,
        },
    }


def _object(fields: tuple[Field, ...]) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in fields if not field.optional],
        "properties": {field.name: _of(field) for field in fields},
    }


def _of(field: Field) -> Schema:
    if field.form is Form.TEXTS:
        return _list(_FORMS[Form.TEXT], field.limit)
    if field.form is Form.PLACES:
        return _list(_FORMS[Form.NUMBER], field.limit)
    return {} if field.form is Form.RECORDS else _FORMS[field.form]


def _list(items: Schema, limit: int) -> Schema:
    return {"type": "array", "maxItems": limit, "items": items}
