"""The fields of a baseline document: names, forms and defaults, one table for writing, reading and the JSON Schema.

In: nothing. Out: tables. Why: three things that must agree are made from one. Next: ``document`` reads and writes by
them, ``schemafile`` publishes them.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from driftline.baseline.schema import (
    MAX_BEHAVIOURS,
    MAX_CHECKS,
    MAX_CONTAINERS,
    MAX_EXAMPLES,
    MAX_EXCUSES,
    MAX_PACKAGES,
    MAX_PARTIAL,
    MAX_REVIEWS,
)
from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour


class Form(Enum):
    """What a field holds, and so how it is written, checked and described."""

    TEXT = "text"
    PATH = "raw path"
    PATTERN = "path pattern"
    ACCESS = "read or write"
    ORIGIN = "origin of a file that is not the image's"
    ADDRESS = "address of a connect"
    PORT = "port"
    FLAG = "true or false"
    NUMBER = "0 to 2^63-1"
    TIME = "Unix time"
    STATE = "state"
    STANDING = "standing"
    SOURCE = "source"
    TEXTS = "texts"
    PLACES = "places in the list of containers"
    RECORDS = "records"


class Field(NamedTuple):
    """One field. ``optional``: absent means empty, 0, a standing: allowed. ``limit``: most items of a list."""

    name: str
    form: Form
    optional: bool = False
    limit: int = 0
    ordered: bool = False  # a list that is kept sorted, each item once


EXCUSE = (
    Field("check", Form.TEXT),
    Field("reason", Form.TEXT),
    Field("author", Form.TEXT),
    Field("expires", Form.TIME, optional=True),  # absent: never
)
REVIEW = (
    Field("at", Form.TIME),
    Field("author", Form.TEXT),
    Field("action", Form.TEXT),
    Field("reason", Form.TEXT),
    Field("what", Form.TEXT, optional=True),
)
HEAD = (
    Field("key", Form.TEXT),
    Field("workload", Form.TEXT, optional=True),
    Field("image", Form.TEXT),
    Field("state", Form.STATE),
    Field("revision", Form.NUMBER),
    Field("parent", Form.TEXT, optional=True),
    Field("predecessor", Form.TEXT, optional=True),
    Field("partial", Form.TEXTS, limit=MAX_PARTIAL, ordered=True),
    Field("losses", Form.NUMBER),
    Field("elapsed_ns", Form.NUMBER),
    Field("quiet_ns", Form.NUMBER),
    Field("startups", Form.NUMBER),
)
"""Fields of ``Baseline`` of the same name, but for the lists below; ``format`` and ``version`` stand before them."""
CONTAINERS = Field("containers", Form.TEXTS, limit=MAX_CONTAINERS + 1)
EXCUSES = Field("excuses", Form.RECORDS, optional=True, limit=MAX_EXCUSES)
REVIEWS = Field("reviews", Form.RECORDS, optional=True, limit=MAX_REVIEWS)
PACKAGES = Field("packages", Form.TEXTS, optional=True, limit=MAX_PACKAGES, ordered=True)

CLASSES: dict[str, type[Behaviour]] = {
    "exec": ExecBehaviour,
    "open": OpenBehaviour,
    "load": LoadBehaviour,
    "connect": ConnectBehaviour,
}
BEHAVIOUR: dict[str, tuple[Field, ...]] = {
    "exec": (
        Field("path", Form.PATH),
        Field("invoked", Form.TEXT),
        Field("by", Form.TEXT),
        Field("entered", Form.FLAG),
        Field("origin", Form.ORIGIN, optional=True),
    ),
    "open": (Field("path", Form.PATTERN), Field("access", Form.ACCESS)),
    "load": (Field("path", Form.PATH), Field("origin", Form.ORIGIN, optional=True)),
    "connect": (Field("protocol", Form.TEXT), Field("address", Form.ADDRESS), Field("port", Form.PORT)),
}
"""Fields of each section's behaviours, in the order of their class."""
EVIDENCE = (
    Field("standing", Form.STANDING, optional=True),
    Field("checks", Form.TEXTS, optional=True, limit=MAX_CHECKS, ordered=True),
    Field("source", Form.SOURCE, optional=True),
    Field("package", Form.TEXT, optional=True),
    Field("first", Form.TIME, optional=True),
    Field("last", Form.TIME, optional=True),
    Field("count", Form.NUMBER, optional=True),
    Field("containers", Form.PLACES, optional=True, limit=MAX_CONTAINERS + 1),
    Field("examples", Form.TEXTS, optional=True, limit=MAX_EXAMPLES, ordered=True),
)
"""What follows the behaviour in each item: its ``Entry``. A person who writes a behaviour leaves it all away."""
SECTION_LIMIT = MAX_BEHAVIOURS
