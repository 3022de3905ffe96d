"""Calls about baselines: what all nodes learned, and what people decide about it.

In: requests of readers and reviewers (``access``). Out: lists, contents in pieces, decisions that are stored before
they are answered. Why the content is read before anything is published: a name, a version or a revision that is not
what the content makes it would be refused by every node. Next: ``fleet`` tells the agents.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import Gathering, PieceError, Whole, parts
from driftline_collector import baselines_store
from driftline_collector.access import proved
from driftline_collector.agents import Agents
from driftline_collector.baseline_apart import BusyError, UnfitError
from driftline_collector.baseline_facts import misfit
from driftline_collector.baselines_figures import Figures
from driftline_collector.baselines_store import InForce, Kept
from driftline_collector.decisions import unsaid
from driftline_collector.exchanges import Exchanges
from driftline_collector.in_use import well_named, well_versioned
from driftline_collector.storage import Storage

ENVELOPE_BYTES = 64 * 1024
"""Largest envelope of a revocation: 32 signatures take 24 KiB."""


class WrongError(Exception):
    """A request that is not served; ``code`` and the message are for the caller."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Baselines:
    """Serves ListBaselines, GetBaseline, FetchBaseline, PublishBaseline and RevokeBaseline."""

    def __init__(self, storage: Storage, exchanges: Exchanges) -> None:
        self._reader = storage.reader
        self._writer = storage.writer
        self._agents: Agents = storage.agents
        self._exchanges = exchanges
        self._fleet = exchanges.fleet
        self._figures = Figures(storage, exchanges.fleet)

    async def list_baselines(self, _request: pb.ListBaselinesRequest, context: Any) -> pb.ListBaselinesResponse:
        """Return every baseline that is known, in figures."""
        async with _answered(context):
            return await self._figures.all()
        return pb.ListBaselinesResponse()  # not reached: abort raises

    async def get_baseline(self, request: pb.GetBaselineRequest, context: Any) -> pb.GetBaselineResponse:
        """Return what is known of one."""
        async with _answered(context):
            found = await self._figures.one(request.name)
            if found is None:
                raise _unknown(request.name)
            return found
        return pb.GetBaselineResponse()

    # --- contents ----------------------------------------------------------------------------------------------------

    async def fetch_baseline(
        self, request: pb.FetchBaselineRequest, context: Any
    ) -> AsyncIterator[pb.FetchBaselineResponse]:
        """Send one of the contents of a baseline."""
        async with _answered(context):
            which = request.WhichOneof("which")
            if which == "merged":
                found = self._merged(request.name)
            elif which == "published":
                found = self._published(request.name)
            elif which == "node":
                found = self._learned(request.name, request.node)
            else:
                raise WrongError(grpc.StatusCode.INVALID_ARGUMENT, "say which content: merged, published or of a node")
            async for part in found:
                yield pb.FetchBaselineResponse(part=part)

    async def _merged(self, name: str) -> AsyncIterator[baseline_pb2.BaselinePart]:
        rows = await self._reader.rows(baselines_store.fragments_of(name))
        good = [row for row in rows if (name, row.version) not in self._fleet.revocations]
        if not good:
            raise _unknown(name)
        facts, data = await self._exchanges.apart.merge(self._wholes(good))
        for part in parts(name, facts.version, baseline_pb2.BASELINE_FORMAT_MSGPACK, data):
            yield part

    async def _wholes(self, rows: list[Any]) -> AsyncIterator[bytes]:
        """Yield the contents of fragments, but for those that were replaced meanwhile."""
        for row in rows:
            kept = baselines_store.kept(row)
            data = b"".join([piece async for piece in self._pieces(kept)])
            if len(data) == kept.size:
                yield data

    async def _pieces(self, kept: Kept) -> AsyncIterator[bytes]:
        offset = place = 0
        while offset < kept.size and (rows := await self._reader.rows(baselines_store.piece(kept.whole, place))):
            yield bytes(rows[0].data)
            offset, place = offset + len(rows[0].data), place + 1

    async def _published(self, name: str) -> AsyncIterator[baseline_pb2.BaselinePart]:
        await self._fleet.refresh()
        one = self._fleet.in_force(name)
        if one is None:
            raise WrongError(grpc.StatusCode.NOT_FOUND, "nothing is published under this name, or it was revoked")
        async for part in self._parts(name, one.said.version, one.said.format, one.kept):
            yield part

    async def _learned(self, name: str, node: str) -> AsyncIterator[baseline_pb2.BaselinePart]:
        rows = await self._reader.rows(baselines_store.fragments_of(name, node))
        if not node or not rows:
            raise WrongError(grpc.StatusCode.NOT_FOUND, "the collector has nothing this node learned of it")
        form = baseline_pb2.BASELINE_FORMAT_MSGPACK
        async for part in self._parts(name, rows[0].version, form, baselines_store.kept(rows[0])):
            yield part

    async def _parts(
        self, name: str, version: str, form: baseline_pb2.BaselineFormat, kept: Kept
    ) -> AsyncIterator[baseline_pb2.BaselinePart]:
        offset = 0
        async for data in self._pieces(kept):
            yield baseline_pb2.BaselinePart(
                name=name, version=version, format=form, size=kept.size, offset=offset, data=data, sha256=kept.sha256
            )
            offset += len(data)
        if offset < kept.size:
            raise WrongError(grpc.StatusCode.ABORTED, "it was replaced while it was sent: fetch it again")

    # --- decisions ---------------------------------------------------------------------------------------------------

    async def publish_baseline(
        self, requests: AsyncIterator[pb.PublishBaselineRequest], context: Any
    ) -> pb.PublishBaselineResponse:
        """Put a baseline in force on every node."""
        async with _answered(context):
            first, whole = await _gather(requests)
            if not well_named(whole.name) or not well_versioned(whole.version):
                raise WrongError(grpc.StatusCode.INVALID_ARGUMENT, "this names no version of a baseline of an image")
            return pb.PublishBaselineResponse(published=await self._publish(first, whole))
        return pb.PublishBaselineResponse()

    async def _publish(self, first: pb.PublishBaselineRequest, whole: Whole) -> baseline_pb2.Published:
        facts = await self._exchanges.apart.check(whole.form, whole.data)
        if wrong := misfit(facts, whole.name, whole.version):
            raise WrongError(grpc.StatusCode.INVALID_ARGUMENT, wrong.reason)
        said = baseline_pb2.Published(
            version=facts.version,
            revision=facts.revision,
            format=baseline_pb2.BaselineFormat.Name(whole.form),
            reason=first.reason,
            author=first.author,
            made_by=proved(),
            published_wall_ns=time.time_ns(),
        )
        kept = await self._exchanges.intake.keep(whole.data)
        one = InForce(whole.name, facts.image, said, kept, place=0)
        if wrong_now := await self._writer.run(lambda store: baselines_store.publish(store, one)):
            raise WrongError(grpc.StatusCode.FAILED_PRECONDITION, wrong_now)
        await self._fleet.refresh()
        return said

    async def revoke_baseline(self, request: pb.RevokeBaselineRequest, context: Any) -> pb.RevokeBaselineResponse:
        """Take a version out of force on every node, for good."""
        async with _answered(context):
            return pb.RevokeBaselineResponse(revocation=await self._revoke(request.revocation))
        return pb.RevokeBaselineResponse()

    async def _revoke(self, wanted: baseline_pb2.Revocation) -> baseline_pb2.Revocation:
        if wrong := _fault(wanted) or await self._unlike(wanted):
            raise WrongError(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        await self._fleet.refresh()
        before = self._fleet.revocations.get((wanted.name, wanted.version))
        if before is not None and wanted.envelope in (b"", before.envelope):
            return before
        one = baseline_pb2.Revocation()
        one.CopyFrom(wanted)
        one.made_by, one.revoked_wall_ns = proved(), time.time_ns()
        self._fleet.forgotten += await self._writer.run(lambda store: baselines_store.revoke(store, one))
        await self._fleet.refresh()
        return one

    async def _unlike(self, wanted: baseline_pb2.Revocation) -> str:
        """Return in what the envelope of a revocation says something else than its fields, "" if in nothing.

        Every node would refuse it, and who reads the fields would believe it in force.
        """
        if not wanted.envelope:
            return ""
        try:
            signed = await self._exchanges.apart.read_revocation(wanted.envelope)
        except UnfitError as error:
            return f"its envelope is not that of a revocation: {error}"
        for what, said in signed._asdict().items():
            if said != (asked := getattr(wanted, what)):
                return f"another {what} was signed than the one that is asked for: '{said[:300]}', not '{asked[:300]}'"
        return ""


async def _gather(requests: AsyncIterator[pb.PublishBaselineRequest]) -> tuple[pb.PublishBaselineRequest, Whole]:
    """Return the first request, without its piece, and the whole."""
    first, gathering = None, Gathering()
    async for request in requests:
        if first is None:
            first = pb.PublishBaselineRequest(reason=request.reason, author=request.author)
            if wrong := unsaid(first.reason, first.author):
                raise WrongError(grpc.StatusCode.INVALID_ARGUMENT, f"whoever publishes gives {wrong}")
        try:
            whole = gathering.take(request.part)
        except PieceError as error:
            raise WrongError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
        if whole is not None:
            return first, whole
    raise WrongError(grpc.StatusCode.INVALID_ARGUMENT, "the baseline ended too early")


def _fault(wanted: baseline_pb2.Revocation) -> str:
    """Return what is wrong with a revocation, "" if nothing is."""
    if not well_named(wanted.name) or not well_versioned(wanted.version):
        return "this names no version of a baseline of an image"
    if wrong := unsaid(wanted.reason, wanted.author):
        return f"a revocation has {wrong}"
    if len(wanted.envelope) > ENVELOPE_BYTES:
        return f"an envelope has at most {ENVELOPE_BYTES} bytes"
    return ""


def _unknown(name: str) -> WrongError:
    return WrongError(grpc.StatusCode.NOT_FOUND, f"no node has learned a baseline called '{name[:300]}'")


@asynccontextmanager
async def _answered(context: Any) -> AsyncIterator[None]:
    """End the call with what went wrong, in words."""
    try:
        yield
    except WrongError as error:
        await context.abort(error.code, str(error))
    except UnfitError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    except BusyError as error:
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
    except StateError as error:
        await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
