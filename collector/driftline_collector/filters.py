"""Which deviations a reader wants.

In: ``DeviationFilter`` messages. Out: a decision per deviation, and SQL conditions that leave out most of what does not
match. Why both: the decision in Python is the only truth (stored and live deviations must be judged alike); SQL only
saves reading. Next: ``feed`` decides live, ``store`` reads.
"""

from __future__ import annotations

from copy import copy

from sqlalchemy import ColumnElement, or_

from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline_collector.schema import deviations

FILTER_KINDS = 64
"""Most kinds in one filter: four times as many as there are."""

FILTER_TEXT = 4096
"""Longest text in a filter, in characters: the longest path or image reference fits."""


class DeviationFilter:
    """A checked filter. Raises ValueError saying what is wrong with ``message``."""

    def __init__(self, message: pb.DeviationFilter) -> None:
        texts = (message.node, message.namespace, message.container, message.image, *message.kinds)
        if len(message.kinds) > FILTER_KINDS or any(len(text) > FILTER_TEXT for text in texts):
            raise ValueError(f"a filter has at most {FILTER_KINDS} kinds and {FILTER_TEXT} characters in a text")
        if any("\0" in text for text in texts):  # PostgreSQL has no such text
            raise ValueError("a text in the filter holds a NUL character")
        self.minimum_severity = message.minimum_severity
        self._kinds = tuple(message.kinds)
        self._node = message.node
        self._namespace = message.namespace
        self._container = message.container
        self._image = message.image
        self.since_wall_ns = message.since_wall_ns

    def without_since(self) -> DeviationFilter:
        """Return the filter for what is new: the clock of its node may be slow, and it is new all the same."""
        filter_ = copy(self)
        filter_.since_wall_ns = 0
        return filter_

    def matches(self, deviation: deviation_pb2.Deviation) -> bool:
        """Whether every condition holds."""
        return (
            deviation.severity >= self.minimum_severity
            and deviation.last_wall_ns >= self.since_wall_ns
            and (not self._kinds or self._matches_kind(deviation.kind))
            and (not self._node or deviation.node == self._node)
            and self._matches_subject(deviation.subject)
        )

    def _matches_kind(self, kind: str) -> bool:
        return any(kind == wanted or kind.startswith(f"{wanted}.") for wanted in self._kinds)

    def _matches_subject(self, subject: deviation_pb2.Subject) -> bool:
        if self._namespace and subject.namespace != self._namespace:
            return False
        if self._image and self._image not in subject.image and self._image not in subject.image_digest:
            return False
        return (
            not self._container
            or self._container in (subject.name, subject.pod)
            or subject.container_id.startswith(self._container)
        )

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return SQL conditions every match satisfies (others may satisfy them too)."""
        table = deviations.c
        conditions: list[ColumnElement[bool]] = []
        if self.minimum_severity:
            conditions.append(table.severity >= self.minimum_severity)
        if self._node:
            conditions.append(table.node == self._node)
        if self._namespace:
            conditions.append(table.namespace == self._namespace)
        if self._kinds:
            exact = table.kind.in_(self._kinds)
            conditions.append(or_(exact, *(table.kind.startswith(f"{kind}.", autoescape=True) for kind in self._kinds)))
        return conditions
