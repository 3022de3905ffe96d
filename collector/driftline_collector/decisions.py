"""Calls by which people decide: silences, and nodes that were retired.

In: requests of reviewers and admins (``access``). Out: what was decided, stored before it is answered. Why ``made_by``
beside the author: the one is what somebody typed, the other what a certificate or token proved. Next: ``silences``,
``sentinel``.
"""

from __future__ import annotations

import time
from typing import Any

import grpc

from driftline.errors import StateError
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.matchers import fault
from driftline_collector.access import proved
from driftline_collector.sentinel import Sentinel
from driftline_collector.silences import Silences

MATCHERS = 16
"""Most matchers of a silence: there are twelve fields."""

POSITIVE = frozenset({pb.MATCHER_OPERATOR_EQUAL, pb.MATCHER_OPERATOR_CONTAINS})
REASON_CHARACTERS = 1_000
"""Longest reason a person gives."""
NAME_CHARACTERS = 253
"""Longest name a person gives."""
LONGEST_NS = 366 * 24 * 3600 * 1_000_000_000
"""A silence ends after a year at the latest: what is known for longer belongs into the baseline."""


class Decisions:
    """Serves AddSilence, ListSilences, EndSilence and ForgetAgent."""

    def __init__(self, silences: Silences, sentinel: Sentinel) -> None:
        self._silences = silences
        self._sentinel = sentinel

    async def add_silence(self, request: pb.AddSilenceRequest, context: Any) -> pb.AddSilenceResponse:
        """Keep a silence from now on."""
        now = time.time_ns()
        wanted = request.silence
        silence = pb.Silence(
            matchers=wanted.matchers,
            reason=wanted.reason,
            author=wanted.author,
            made_by=proved(),
            created_wall_ns=now,
            expires_wall_ns=wanted.expires_wall_ns,
        )
        if wrong := _fault(silence, now):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        try:
            return pb.AddSilenceResponse(silence=await self._silences.add(silence))
        except ValueError as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except StateError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        return pb.AddSilenceResponse()  # not reached: abort raises

    async def list_silences(self, request: pb.ListSilencesRequest, _context: Any) -> pb.ListSilencesResponse:
        """Return silences, oldest first."""
        found = self._silences.all() if request.ended else self._silences.in_force()
        return pb.ListSilencesResponse(silences=found)

    async def end_silence(self, request: pb.EndSilenceRequest, context: Any) -> pb.EndSilenceResponse:
        """End a silence before its time."""
        try:
            ended = await self._silences.end(request.id[:64], proved() or request.author[:NAME_CHARACTERS])
        except StateError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            return pb.EndSilenceResponse()
        if ended is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no silence in force has this id")
        return pb.EndSilenceResponse(silence=ended)

    async def forget_agent(self, request: pb.ForgetAgentRequest, context: Any) -> pb.ForgetAgentResponse:
        """Expect the agent of a node no more."""
        try:
            wrong = await self._sentinel.forget(request.node, proved())
        except StateError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            return pb.ForgetAgentResponse()
        if wrong:
            await context.abort(grpc.StatusCode.NOT_FOUND, wrong)
        return pb.ForgetAgentResponse()


def unsaid(reason: str, author: str) -> str:
    """Return what is missing where a person decides, "" if nothing is."""
    if not reason or len(reason) > REASON_CHARACTERS or "\0" in reason:
        return f"a reason of 1 to {REASON_CHARACTERS} characters"
    if not author or len(author) > NAME_CHARACTERS or "\0" in author:
        return f"an author of 1 to {NAME_CHARACTERS} characters"
    return ""


def _fault(silence: pb.Silence, now: int) -> str:
    """Return what is wrong with ``silence``, "" if nothing is."""
    if not 0 < len(silence.matchers) <= MATCHERS:
        return f"a silence has 1 to {MATCHERS} matchers: one without would hide everything"
    if wrong := next(filter(None, map(fault, silence.matchers)), ""):
        return wrong
    if not any(matcher.operator in POSITIVE for matcher in silence.matchers):
        return "a silence has a matcher that says what is meant (= or ~), not only what is not"
    if wrong := unsaid(silence.reason, silence.author):
        return f"a silence has {wrong}"
    if not 0 < silence.expires_wall_ns - now <= LONGEST_NS:
        return "a silence ends in the future, within a year"
    return ""
