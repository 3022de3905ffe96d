"""The one gRPC client of the collector.

In: a link to the collector and request messages. Out: response messages; every failure is a CollectorError that says
what happened, or an AccessError if we may not. Why one: options, deadlines, credentials and the wording of failures are
the same for agents and for people. Next:
``uplink`` keeps an agent's stream alive with it, ``cli.tail`` follows with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import grpc

from driftline.errors import AccessError, CollectorError, DriftlineError, SettingsError
from driftline.text import escape
from driftline.wire import service
from driftline.wire.credentials import Link
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import Gathering, PieceError, Whole, parts

ANSWER_SECONDS = 10.0
"""How long a single request may take: the collector bounds the work of one page to far less."""

CONTENT_SECONDS = 120.0
"""How long the content of a baseline may take, either way: merging a thousand nodes' takes half a minute."""

_REASON_CHARACTERS = 300  # of a server's message, which ends up in a terminal or a log line

_OPTIONS = (
    ("grpc.max_receive_message_length", service.MESSAGE_BYTES),
    ("grpc.max_send_message_length", service.MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", service.KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", service.KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.ping_timeout_ms", service.KEEPALIVE_TIMEOUT_MS),  # newer gRPC waits for this one: a minute unless told
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.min_reconnect_backoff_ms", service.CONNECT_MS),  # how long an attempt may take, whatever its name says
    ("grpc.enable_http_proxy", 0),  # a proxy from the environment must not see deviations
    ("grpc.use_local_subchannel_pool", 1),  # a new connection starts without the back-off of the one before
    ("SingleThreadedUnaryStream", 1),  # gRPC's own: a response wakes the thread that follows, not another one first
)


class Stream:
    """Responses of one call, as an iterator. Raises CollectorError when the call ends other than well."""

    def __init__(self, call: Any, link: Link) -> None:
        self._call = call
        self._link = link

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._call
        except grpc.RpcError as error:
            raise translate(error, self._link) from error

    def cancel(self) -> None:
        """End the call now, from any thread."""
        self._call.cancel()


class CollectorClient:
    """One connection to a collector: a ``Link``, or the HOST:PORT of one on this machine that listens in plain text.

    A single request that finds nobody goes to the link's next address; a stream's owner decides that for itself.
    Raises SettingsError for an address that needs more than that.
    """

    def __init__(self, target: str | Link) -> None:
        self._link = Link(target) if isinstance(target, str) else target
        self._connect()

    def _connect(self) -> None:
        self.target = self._link.target
        files = self._link.files()
        if files is None:
            self._channel = grpc.insecure_channel(self.target, options=_OPTIONS)
        else:
            ours = (files.key, files.cert) if files.cert else (None, None)
            credentials = grpc.ssl_channel_credentials(files.ca, *ours)
            self._channel = grpc.secure_channel(self.target, credentials, options=_OPTIONS)

    def report(self, requests: Iterator[pb.ReportRequest]) -> Stream:
        """Open an agent's stream; ``requests`` is read in a thread of gRPC's."""
        method = self._channel.stream_stream(
            service.REPORT, pb.ReportRequest.SerializeToString, pb.ReportResponse.FromString
        )
        return Stream(method(requests, metadata=self._link.metadata), self._link)

    def tail(self, request: pb.TailRequest) -> Stream:
        """Follow deviations."""
        method = self._channel.unary_stream(service.TAIL, pb.TailRequest.SerializeToString, pb.TailResponse.FromString)
        return Stream(method(request, metadata=self._link.metadata), self._link)

    def list_deviations(self, request: pb.ListDeviationsRequest) -> pb.ListDeviationsResponse:
        """Return one page of stored deviations."""
        response: pb.ListDeviationsResponse = self._ask(
            service.LIST_DEVIATIONS, request, pb.ListDeviationsResponse.FromString
        )
        return response

    def list_agents(self) -> pb.ListAgentsResponse:
        """Return every agent the collector knows."""
        response: pb.ListAgentsResponse = self._ask(
            service.LIST_AGENTS, pb.ListAgentsRequest(), pb.ListAgentsResponse.FromString
        )
        return response

    def forget_agent(self, request: pb.ForgetAgentRequest) -> None:
        """Have the collector expect a node's agent no more."""
        self._ask(service.FORGET_AGENT, request, pb.ForgetAgentResponse.FromString)

    def add_silence(self, silence: pb.Silence) -> pb.Silence:
        """Return the silence as it is in force now."""
        request = pb.AddSilenceRequest(silence=silence)
        response: pb.AddSilenceResponse = self._ask(service.ADD_SILENCE, request, pb.AddSilenceResponse.FromString)
        return response.silence

    def list_silences(self, ended: bool) -> pb.ListSilencesResponse:
        """Return the silences in force, with ``ended`` all that are kept."""
        response: pb.ListSilencesResponse = self._ask(
            service.LIST_SILENCES, pb.ListSilencesRequest(ended=ended), pb.ListSilencesResponse.FromString
        )
        return response

    def end_silence(self, request: pb.EndSilenceRequest) -> pb.Silence:
        """Return the silence, ended."""
        response: pb.EndSilenceResponse = self._ask(service.END_SILENCE, request, pb.EndSilenceResponse.FromString)
        return response.silence

    def list_baselines(self) -> pb.ListBaselinesResponse:
        """Return every baseline the collector knows, in figures."""
        response: pb.ListBaselinesResponse = self._ask(
            service.LIST_BASELINES, pb.ListBaselinesRequest(), pb.ListBaselinesResponse.FromString
        )
        return response

    def get_baseline(self, name: str) -> pb.GetBaselineResponse:
        """Return what the collector knows of one, node by node; ``name`` as listed, escaped."""
        request = pb.GetBaselineRequest(name=name)
        response: pb.GetBaselineResponse = self._ask(service.GET_BASELINE, request, pb.GetBaselineResponse.FromString)
        return response

    def fetch_baseline(self, request: pb.FetchBaselineRequest) -> Whole:
        """Return one of the contents of a baseline, still compressed."""
        method = self._channel.unary_stream(
            service.FETCH_BASELINE, pb.FetchBaselineRequest.SerializeToString, pb.FetchBaselineResponse.FromString
        )
        gathering, whole = Gathering(), None
        try:
            for response in Stream(method(request, timeout=CONTENT_SECONDS, metadata=self._link.metadata), self._link):
                whole = gathering.take(response.part)
        except PieceError as error:
            raise CollectorError(f"the collector at {self._link.target} sent no baseline: {error}") from error
        if whole is None:
            raise CollectorError(f"the collector at {self._link.target} sent only a part of the baseline")
        return whole

    def publish_baseline(self, whole: Whole, reason: str, author: str) -> baseline_pb2.Published:
        """Return what is in force now. ``reason``, ``author``: escaped. Raises PieceError for more than can be sent."""
        pieces = parts(*whole)
        first = pb.PublishBaselineRequest(part=next(pieces), reason=reason, author=author)
        requests = chain([first], (pb.PublishBaselineRequest(part=part) for part in pieces))
        method = self._channel.stream_unary(
            service.PUBLISH_BASELINE, pb.PublishBaselineRequest.SerializeToString, pb.PublishBaselineResponse.FromString
        )
        try:
            response = method(requests, timeout=CONTENT_SECONDS, metadata=self._link.metadata)
        except grpc.RpcError as error:
            raise translate(error, self._link) from error
        published: baseline_pb2.Published = response.published
        return published

    def revoke_baseline(self, revocation: baseline_pb2.Revocation) -> baseline_pb2.Revocation:
        """Return the revocation as it was stored."""
        request = pb.RevokeBaselineRequest(revocation=revocation)
        response: pb.RevokeBaselineResponse = self._ask(
            service.REVOKE_BASELINE, request, pb.RevokeBaselineResponse.FromString
        )
        return response.revocation

    def _ask(self, method: str, request: Any, deserializer: Any) -> Any:
        for left in reversed(range(self._link.choices)):
            call = self._channel.unary_unary(method, type(request).SerializeToString, deserializer)
            try:
                return call(request, timeout=ANSWER_SECONDS, metadata=self._link.metadata)
            except grpc.RpcError as error:
                if not left or error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise translate(error, self._link) from error
            self.close()
            self._link.advance()
            self._connect()
        raise AssertionError("a link has an address")

    def close(self) -> None:
        """End the connection and every call on it."""
        self._channel.close()


def translate(error: grpc.RpcError, link: Link) -> DriftlineError:
    """Return what ``error`` means to a person: CollectorError, SettingsError if our request was at fault, AccessError
    if we may not."""
    code, details, target = error.code(), escape(str(error.details() or "")[:_REASON_CHARACTERS]), link.target
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        from driftline.wire.credentials_diagnosis import expired

        reason = expired(link) or details
        return AccessError(f"the collector at {target} does not let us in: {reason}", "see docs/access.md")
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION):
        return SettingsError(f"the collector at {target} refused the request: {details}")
    if code is grpc.StatusCode.NOT_FOUND:
        return SettingsError(details)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return CollectorError(f"what listens on {target} is not a driftline collector of this version: {details}")
    if code is grpc.StatusCode.UNAVAILABLE:
        from driftline.wire.credentials_diagnosis import diagnose  # with ssl: an agent without trouble needs neither

        if "Connection refused" not in details and (reason := diagnose(link)):
            return CollectorError(f"collector {target} cannot be reached: {reason}")
        if details.startswith("failed to connect"):  # then a list of every attempt; the last word says it
            details = details.rpartition(": ")[2]
        hint = f"start it with: driftline collector --listen {target}"
        return CollectorError(f"collector {target} cannot be reached: {details}", hint)
    return CollectorError(f"collector {target} ended the call ({code.name.lower()}): {details}")
