"""The OTLP output against real receivers: a gRPC server of the published service, an HTTP server."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as otlp
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1 import logs_pb2

from collector.certificates import Papers
from collector.outputs import receivers
from collector.outputs.rig import sender
from driftline.nouns import Severity
from driftline.wire.roles import Role
from driftline_collector.outputs.otlpgrpc import EXPORT
from driftline_collector.outputs.sending import Refused, Taken, Unavailable
from unit.collector.outputs import things
from unit.collector.outputs.test_ocsf import faults
from unit.wire.samples import HOSTILE


@dataclass
class Receiver:
    """A running gRPC receiver: what it was sent, and how it answers (from the front, then success)."""

    address: str = ""
    taken: list[otlp.ExportLogsServiceRequest] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    answers: list[otlp.ExportLogsServiceResponse | grpc.StatusCode] = field(default_factory=list)

    def export(self, request: otlp.ExportLogsServiceRequest, context: Any) -> otlp.ExportLogsServiceResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        answer = self.answers.pop(0) if self.answers else otlp.ExportLogsServiceResponse()
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, "as told")
        self.taken.append(request)
        return answer


@contextlib.contextmanager
def receiver(credentials: grpc.ServerCredentials | None = None) -> Iterator[Receiver]:
    """Serve opentelemetry.proto.collector.logs.v1.LogsService until the end of the block."""
    served, server = Receiver(), grpc.server(ThreadPoolExecutor(2))
    service, _, method = EXPORT.strip("/").partition("/")
    assert service == otlp.DESCRIPTOR.services_by_name["LogsService"].full_name
    deserializer = otlp.ExportLogsServiceRequest.FromString
    serializer: Callable[[otlp.ExportLogsServiceResponse], bytes] = lambda one: one.SerializeToString()  # noqa: E731
    handler = grpc.unary_unary_rpc_method_handler(served.export, deserializer, serializer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    served.address = f"{'http' if credentials is None else 'https'}://127.0.0.1:{port}"
    server.start()
    try:
        yield served
    finally:
        server.stop(None).wait()


def plain(value: AnyValue) -> Any:
    """A value as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return pairs(value.kvlist_value.values)
    return getattr(value, str(kind)) if kind else None


def pairs(values: Any) -> dict[str, Any]:
    names = [pair.key for pair in values]
    assert len(names) == len(set(names))
    found: list[KeyValue] = list(values)
    return {pair.key: plain(pair.value) for pair in found}


def records(request: otlp.ExportLogsServiceRequest) -> list[logs_pb2.LogRecord]:
    return [one for logs in request.resource_logs for scope in logs.scope_logs for one in scope.log_records]


def test_what_a_record_holds(tmp_path: Path) -> None:
    with receiver() as server:
        output = sender(tmp_path, f"type: otlp, url: '{server.address}'")
        item = things.stored(severity=Severity.CRITICAL)
        assert output.send([item, things.connect()]) == Taken()
        output.close()
    (logs,) = server.taken[0].resource_logs
    resource = pairs(logs.resource.attributes)
    assert resource["host.name"] == "node-a"
    assert resource["service.name"] == "driftline"
    assert resource["container.id"] == "abc123" * 10
    assert resource["k8s.pod.name"] == "web-0"
    assert resource["k8s.namespace.name"] == "shop"
    assert (resource["container.image.name"], resource["container.image.tags"]) == ("registry.local/nginx", ["1.25"])
    first, second = records(server.taken[0])
    assert first.time_unix_nano == item.deviation.last_wall_ns
    assert first.observed_time_unix_nano >= first.time_unix_nano
    assert (first.severity_number, first.severity_text) == (logs_pb2.SEVERITY_NUMBER_ERROR2, "CRITICAL")
    assert first.event_name == "driftline.exec.drift"
    assert first.body.string_value == item.deviation.sentence
    attributes = pairs(first.attributes)
    assert attributes["process.pid"] == 42
    assert attributes["process.executable.path"] == "/tmp/x"
    assert attributes["process.command_args"] == ["/tmp/x", "-a", "b c"]
    assert attributes["process.real_user.id"] == 0
    assert attributes["driftline.learning"] is False
    assert attributes["log.record.uid"] == f"{item.deviation.id}/7"
    assert pairs(second.attributes)["destination.port"] == 443


def test_each_container_is_a_resource(tmp_path: Path) -> None:
    with receiver() as server:
        output = sender(tmp_path, f"type: otlp, url: '{server.address}'")
        output.send([things.stored(number, node=f"node-{number % 2}") for number in range(6)])
        output.close()
    assert [len(logs.scope_logs[0].log_records) for logs in server.taken[0].resource_logs] == [3, 3]


def test_ocsf_in_the_body(tmp_path: Path) -> None:
    with receiver() as server:
        output = sender(tmp_path, f"type: otlp, format: ocsf, url: '{server.address}'")
        output.send([things.stored()])
        output.close()
    assert faults(json.loads(json.dumps(plain(records(server.taken[0])[0].body)))) == []


def test_hostile_text_and_large_numbers(tmp_path: Path) -> None:
    with receiver() as server:
        output = sender(tmp_path, f"type: otlp, compression: gzip, url: '{server.address}'")
        item = things.stored(what=HOSTILE, argv=(HOSTILE,))
        item.deviation.sentence = "raw \x1b[2J"
        item.deviation.file.size = 2**64 - 1
        output.send([item])
        output.close()
    (record,) = records(server.taken[0])
    assert record.body.string_value.isprintable()
    assert pairs(record.attributes)["file.size"] == str(2**64 - 1)


def test_partial_success_is_told(tmp_path: Path) -> None:
    with receiver() as server:
        partial = otlp.ExportLogsPartialSuccess(rejected_log_records=2, error_message="too old")
        server.answers = [otlp.ExportLogsServiceResponse(partial_success=partial)]
        output = sender(tmp_path, f"type: otlp, url: '{server.address}'")
        assert output.send([things.stored()] * 3) == Taken(2, "too old")
        output.close()


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED])
def test_trouble_that_may_pass(tmp_path: Path, code: grpc.StatusCode) -> None:
    with receiver() as server:
        server.answers = [code]
        output = sender(tmp_path, f"type: otlp, url: '{server.address}'")
        with pytest.raises(Unavailable, match=f"{code.name} as told"):
            output.send([things.stored()])
        output.send([things.stored()])
        output.close()
    assert len(server.taken) == 1


def test_a_malformed_batch_is_refused_and_so_is_one_too_large(tmp_path: Path) -> None:
    with receiver() as server:
        server.answers = [grpc.StatusCode.INVALID_ARGUMENT]
        output = sender(tmp_path, f"type: otlp, url: '{server.address}'")
        with pytest.raises(Refused, match="INVALID_ARGUMENT"):
            output.send([things.stored()])
        with pytest.raises(Refused, match="larger than max"):
            output.send([things.stored(sentence="s" * 1_000_000) for _ in range(5)])
        output.close()


def test_tls_and_headers(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    paths = papers.issue(Role.COLLECTOR, "main")
    (tmp_path / "headers").write_text("Api-Key: k3y\n")
    pair = (Path(paths.key).read_bytes(), Path(paths.cert).read_bytes())
    with receiver(grpc.ssl_server_credentials([pair])) as server:
        tls = f"tls: {{ca_file: {papers.ca}}}, headers_file: {tmp_path}/headers"
        output = sender(tmp_path, f"type: otlp, {tls}, url: '{server.address}'")
        output.send([things.stored()])
        output.close()
        stranger = sender(tmp_path, f"type: otlp, timeout_seconds: 2, url: '{server.address}'")
        with pytest.raises(Unavailable, match=r"UNAVAILABLE|DEADLINE"):
            stranger.send([things.stored()])
        stranger.close()
    assert server.metadata[0]["api-key"] == "k3y"


def test_http(tmp_path: Path) -> None:
    with receivers.http() as server:
        partial = otlp.ExportLogsPartialSuccess(rejected_log_records=1, error_message="no")
        server.answers = [
            (200, {}, b""),
            (200, {}, b"not protobuf"),
            (200, {}, otlp.ExportLogsServiceResponse(partial_success=partial).SerializeToString()),
        ]
        output = sender(tmp_path, f"type: otlp, protocol: http, compression: gzip, url: '{server.url}v1/logs'")
        taken = [output.send([things.stored(number)]) for number in range(3)]
        output.close()
    assert taken == [Taken(), Taken(), Taken(1, "no")]
    assert server.taken[0].path == "/v1/logs"
    assert server.taken[0].headers["Content-Type"] == "application/x-protobuf"
    assert len(records(otlp.ExportLogsServiceRequest.FromString(server.taken[0].body))) == 1
