"""What became of revocations, node by node.

In: the revocations of one baseline, the answers that are stored, the nodes that are told. Out: figures of each
revocation; of each node what it refused, could not do, did not answer, or put in the place of what was revoked. Why
not every answer: that a node keeps a revocation of something it never had is what everybody expects. Next:
``baselines_figures`` puts them into its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from driftline.wire.gen.driftline.v1 import baseline_pb2

NEWEST = 16
"""Revocations of one baseline that are looked at, the newest first: older ones were answered, or nobody will."""

_Answer = baseline_pb2.BaselineOutcome


class RevocationFigures:
    """Of the ``NEWEST`` of ``revocations``, which are newest first. ``rows``: the answers, of ``outcomes``."""

    def __init__(self, revocations: Sequence[baseline_pb2.Revocation], rows: Iterable[Any]) -> None:
        self._revocations = revocations[:NEWEST]
        self._answers = {(row.node, row.revoked): row for row in rows}

    def progress(self, nodes: Iterable[str]) -> list[baseline_pb2.RevocationProgress]:
        """Return how many of ``nodes``, which are told, and of those that answered gave which answer."""
        found = {one.version: baseline_pb2.RevocationProgress(version=one.version) for one in self._revocations}
        for row in self._answers.values():
            figures = found[row.revoked]
            figures.nodes_taken += row.outcome == baseline_pb2.OUTCOME_TAKEN
            figures.nodes_refused += row.outcome == baseline_pb2.OUTCOME_REFUSED
            figures.nodes_waiting += row.outcome == baseline_pb2.OUTCOME_FAILED
        for node in nodes:
            for version, figures in found.items():
                figures.nodes_waiting += (node, version) not in self._answers
        return list(found.values())

    def by_node(self, nodes: Iterable[str]) -> Mapping[str, list[_Answer]]:
        """Return what there is to tell, by node; of those of ``nodes`` that did not answer, that they did not."""
        found: dict[str, list[_Answer]] = {}
        answered = {node for node, _version in self._answers}
        for node in answered.union(nodes):
            for one in self._revocations:
                answer = self._answer(node, one)
                if answer.outcome != baseline_pb2.OUTCOME_TAKEN or answer.reason:
                    found.setdefault(node, []).append(answer)
        return found

    def _answer(self, node: str, one: baseline_pb2.Revocation) -> _Answer:
        row = self._answers.get((node, one.version))
        outcome = baseline_pb2.OUTCOME_WAITING if row is None else row.outcome
        reason = "" if row is None or row.reason == one.reason else row.reason  # agents up to 0.1 repeat what we told
        return _Answer(
            name=one.name,
            version=one.version,
            revocation=True,
            outcome=baseline_pb2.Outcome.Name(outcome),
            reason=reason,
        )
