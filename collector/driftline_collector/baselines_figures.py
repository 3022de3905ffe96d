"""Baselines over all nodes, in figures.

In: what nodes use, what they learned, what was decided, what became of it. Out: a summary of each baseline; everything
about one. Why "left out": an answer fits a message, and whoever reads it must know that it is not all. Belongs to the
event loop. Next: ``baselines`` answers with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.service import MESSAGE_BYTES
from driftline_collector import baselines_store
from driftline_collector.fleet import Fleet
from driftline_collector.revocation_figures import NEWEST, RevocationFigures
from driftline_collector.storage import Storage

ANSWER_BYTES = MESSAGE_BYTES - 256 * 1024
"""What lists may take of an answer; the rest is for what stands beside them."""

_OVERHEAD = 8  # of a message in a list: its tag and length

_FIELDS: dict[int, str] = {baseline_pb2.OUTCOME_TAKEN: "nodes_taken", baseline_pb2.OUTCOME_REFUSED: "nodes_refused"}


class Figures:
    """Counts what ``fleet`` and the store know."""

    def __init__(self, storage: Storage, fleet: Fleet) -> None:
        self._storage = storage
        self._reader = storage.reader
        self._fleet = fleet

    async def all(self) -> pb.ListBaselinesResponse:
        """Return every baseline, by image and name. Raises StateError."""
        await self._refresh()
        summaries = _Summaries(self._fleet, self._takers())
        for told in self._fleet.in_use.all().values():
            for one in told.baselines:
                summaries.count_use(one)
        for row in await self._reader.rows(baselines_store.learned()):
            summaries.count_learned(row.name, row.image, baseline_pb2.LearnedPart.FromString(row.body))
        for row in await self._reader.rows(baselines_store.outcome_counts()):
            summaries.count_outcome(row.name, row.version, row.outcome, row.nodes)
        for row in await self._reader.rows(baselines_store.refused_revocations()):
            summaries.count_refusal(row.name, row.revoked, row.node)
        found = sorted(summaries.done(), key=lambda one: (one.image, one.name))
        fitting = _fitting(found, ANSWER_BYTES)
        return pb.ListBaselinesResponse(baselines=found[:fitting], left_out=len(found) - fitting)

    async def one(self, name: str) -> pb.GetBaselineResponse | None:
        """Return all about ``name``, None if nothing is known of it. Raises StateError."""
        await self._refresh()
        summaries, nodes = _Summaries(self._fleet, self._takers(), name), dict[str, baseline_pb2.NodeBaseline]()

        def of(node: str) -> baseline_pb2.NodeBaseline:
            return nodes.setdefault(node, baseline_pb2.NodeBaseline(node=node))

        for node, told in self._fleet.in_use.all().items():
            for one in told.baselines:
                if one.name == name:
                    summaries.count_use(one)
                    of(node).in_use.CopyFrom(one)
        for row in await self._reader.rows(baselines_store.fragments_of(name)):
            part = of(row.node).learned
            part.ParseFromString(row.body)
            summaries.count_learned(name, row.image, part)
        for outcome in await self._outcomes(name):
            summaries.count_outcome(name, outcome.version, outcome.outcome, 1)
            of(outcome.node).outcome.CopyFrom(_outcome(outcome))
        revocations = [one for one in self._fleet.revocations.values() if one.name == name][::-1]
        of_revocations = await self._of_revocations(name, revocations)
        for node, told_back in of_revocations.by_node(self._takers()).items():
            of(node).revocations.extend(told_back)
            for answer in told_back:
                if answer.outcome == baseline_pb2.OUTCOME_REFUSED:
                    summaries.count_refusal(name, answer.version, node)
        if (summary := next(summaries.done(), None)) is None and not revocations:
            return None
        if (public := self._fleet.in_force(name)) is not None:
            waiting = _outcome_of(name, public.said.version, baseline_pb2.OUTCOME_WAITING)
            for node in self._takers():
                if not of(node).HasField("outcome"):
                    of(node).outcome.CopyFrom(waiting)
        ordered = [nodes[node] for node in sorted(nodes)]
        kept = _fitting(revocations, ANSWER_BYTES // 2)
        fitting = _fitting(ordered, ANSWER_BYTES // 2)
        return pb.GetBaselineResponse(
            summary=summary or baseline_pb2.BaselineSummary(name=name),
            nodes=ordered[:fitting],
            revocations=revocations[:kept],
            left_out=len(ordered) - fitting,
            progress=of_revocations.progress(self._takers()),
        )

    async def _refresh(self) -> None:
        await self._storage.refresh_agents()
        await self._fleet.in_use.refresh()
        await self._fleet.refresh()

    def _takers(self) -> list[str]:
        """Nodes that take what is published."""
        return [status.hello.node for status in self._storage.agents.each() if status.hello.takes_baselines]

    async def _of_revocations(self, name: str, revocations: Sequence[baseline_pb2.Revocation]) -> RevocationFigures:
        versions = [one.version for one in revocations[:NEWEST]]
        rows = await self._reader.rows(baselines_store.outcomes_of_revocations(name, versions)) if versions else []
        return RevocationFigures(revocations, rows)

    async def _outcomes(self, name: str) -> list[Any]:
        public = self._fleet.in_force(name)
        if public is None:
            return []
        rows = await self._reader.rows(baselines_store.outcomes_of(name))
        return [row for row in rows if row.version == public.said.version]


class _Summaries:
    """Summaries in the making; with ``only``, of that name alone."""

    def __init__(self, fleet: Fleet, takers: list[str], only: str = "") -> None:
        self._fleet = fleet
        self._takers = len(takers)
        self._refusing: dict[str, set[str]] = {}  # nodes that refused a revocation, by name
        self._found: dict[str, baseline_pb2.BaselineSummary] = {}
        for name, one in fleet.published.items():
            if not only or name == only:
                self._of(name, one.image)

    def _of(self, name: str, image: str) -> baseline_pb2.BaselineSummary:
        found = self._found.setdefault(name, baseline_pb2.BaselineSummary(name=name))
        found.image = image or found.image
        return found

    def count_use(self, one: baseline_pb2.BaselineInUse) -> None:
        summary = self._of(one.name, one.image)
        summary.nodes_using += 1
        summary.nodes_learning += one.state == baseline_pb2.BASELINE_STATE_LEARNING

    def count_learned(self, name: str, image: str, part: baseline_pb2.LearnedPart) -> None:
        summary = self._of(name, image)
        summary.nodes_learned += 1
        summary.nodes_complete += not part.reasons
        summary.needs_review = max(summary.needs_review, part.needs_review)

    def count_outcome(self, name: str, version: str, outcome: int, nodes: int) -> None:
        public = self._fleet.in_force(name)
        if public is not None and public.said.version == version and (field := _FIELDS.get(outcome)):
            summary = self._of(name, public.image)
            setattr(summary, field, getattr(summary, field) + nodes)

    def count_refusal(self, name: str, version: str, node: str) -> None:
        if (name, version) in self._fleet.revocations:
            self._refusing.setdefault(name, set()).add(node)

    def done(self) -> Iterator[baseline_pb2.BaselineSummary]:
        for name, summary in self._found.items():
            if (public := self._fleet.in_force(name)) is not None:
                summary.published.CopyFrom(public.said)
                answered = summary.nodes_taken + summary.nodes_refused
                summary.nodes_waiting = max(0, self._takers - answered)
            summary.nodes_refusing_revocation = len(self._refusing.get(name, ()))
            yield summary


def _outcome(row: Any) -> baseline_pb2.BaselineOutcome:
    told = _outcome_of(row.name, row.version, row.outcome)
    told.reason = row.reason
    return told


def _outcome_of(name: str, version: str, outcome: int) -> baseline_pb2.BaselineOutcome:
    return baseline_pb2.BaselineOutcome(name=name, version=version, outcome=baseline_pb2.Outcome.Name(outcome))


def _fitting(messages: list[Any], size: int) -> int:
    """Return how many of ``messages``, from the first, take up to ``size`` bytes."""
    total = 0
    for count, one in enumerate(messages):
        total += one.ByteSize() + _OVERHEAD
        if total > size:
            return count
    return len(messages)
