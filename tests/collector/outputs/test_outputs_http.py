"""Webhook and Falco outputs against a real HTTP server: bodies, headers, TLS, and each way to fail."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from collector.certificates import Papers
from collector.outputs import receivers
from collector.outputs.rig import sender
from driftline.wire.roles import Role
from driftline_collector.outputs.sending import Refused, Sender, Unavailable
from rig import ports
from unit.collector.outputs import things
from unit.collector.outputs.test_falco import accepted
from unit.wire.samples import HOSTILE


def ids(body: bytes) -> list[str]:
    found = json.loads(body)
    return [one["id"] for one in (found if isinstance(found, list) else [found])]


def send(output: Sender, count: int = 3) -> list[str]:
    items = [things.stored(number) for number in range(count)]
    output.send(items)
    return [item.deviation.id for item in items]


def test_an_array_with_headers_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("Authorization: Bearer t0k3n\n")
    with receivers.http() as server:
        output = sender(tmp_path, f"type: webhook, url: '{server.url}in?a=b', headers_file: {tmp_path}/headers")
        sent = send(output)
        (tmp_path / "headers").write_text("Authorization: Bearer newer\n")  # renewed while we run
        send(output)
        output.close()
    assert ids(server.taken[0].body) == sent
    assert server.taken[0].path == "/in?a=b"
    assert server.taken[0].headers["Content-Type"] == "application/json"
    assert [one.headers["Authorization"] for one in server.taken] == ["Bearer t0k3n", "Bearer newer"]


@pytest.mark.parametrize("form", ["json", "ocsf", "falco"])
def test_lines_compressed(tmp_path: Path, form: str) -> None:
    with receivers.http() as server:
        text = f"type: webhook, body: lines, compression: gzip, format: {form}, url: '{server.url}'"
        output = sender(tmp_path, text)
        send(output)
        output.close()
    lines = [json.loads(line) for line in server.taken[0].body.splitlines()]
    assert len(lines) == 3
    assert server.taken[0].headers["Content-Type"] == "application/x-ndjson"
    assert {"json": "sha256", "ocsf": "class_uid", "falco": "rule"}[form] in lines[0]


def test_falcosidekick_gets_one_event_a_request(tmp_path: Path) -> None:
    with receivers.http() as server:
        output = sender(tmp_path, f"type: falco, url: '{server.url}'")
        assert output.batch_deviations == 1
        send(output, 1)
        output.close()
    assert accepted(json.loads(server.taken[0].body))


def test_hostile_text_stays_inside_its_json_string(tmp_path: Path) -> None:
    with receivers.http() as server:
        output = sender(tmp_path, f"type: webhook, url: '{server.url}'")
        output.send([things.stored(what=HOSTILE, argv=(HOSTILE, "\x00" * 10))])
        output.close()
    assert server.taken[0].body.isascii()
    assert json.loads(server.taken[0].body)[0]["argv"][0].isprintable()


@pytest.mark.parametrize("status", [400, 413, 422])
def test_refusals(tmp_path: Path, status: int) -> None:
    with receivers.http() as server:
        server.answers = [(status, {}, b"field x\nis \x1b[31mwrong")]
        output = sender(tmp_path, f"type: webhook, url: '{server.url}'")
        with pytest.raises(Refused, match=f"answers {status} field x is ") as caught:
            send(output)
        assert str(caught.value).isprintable()
        output.close()


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 500, 503])
def test_trouble_that_may_pass(tmp_path: Path, status: int) -> None:
    with receivers.http() as server:
        server.answers = [(status, {"Retry-After": "7", "Location": "http://192.0.2.1/"}, b"later")]
        output = sender(tmp_path, f"type: webhook, url: '{server.url}'")
        with pytest.raises(Unavailable, match=f"answers {status}") as caught:
            send(output)
        assert caught.value.after == 7
        sent = send(output)
        output.close()
    assert ids(server.taken[0].body) == sent


def test_a_reset_in_mid_body_and_a_server_that_is_gone(tmp_path: Path) -> None:
    port = ports.free()
    with receivers.http(port) as server:
        server.answers = ["reset"]
        output = sender(tmp_path, f"type: webhook, url: '{server.url}'")
        with pytest.raises(Unavailable):
            send(output)
        send(output)
    with pytest.raises(Unavailable, match=r"refused|closed|reset"):
        send(output)
    with receivers.http(port) as again:
        sent = send(output)
        output.close()
    assert ids(again.taken[0].body) == sent


def test_a_kept_connection_that_the_server_closed_is_no_failure(tmp_path: Path) -> None:
    with receivers.http() as server:
        server.answers = [(200, {"Connection": "keep-alive"}, b""), "reset"]
        output = sender(tmp_path, f"type: webhook, url: '{server.url}'")
        send(output)
        send(output)  # the first try meets the reset, the second, at once, a new connection
        output.close()
    assert len(server.taken) == 2


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        output = sender(tmp_path, f"type: webhook, timeout_seconds: 0.2, url: 'http://127.0.0.1:{port}/'")
        with pytest.raises(Unavailable, match="timed out"):
            send(output)
        output.close()


def test_an_endless_answer_is_not_read(tmp_path: Path) -> None:
    with receivers.http() as server:
        server.answers = [(200, {}, b"x" * 10_000_000)]
        output = sender(tmp_path, f"type: webhook, url: '{server.url}'")
        send(output)
        send(output)
        output.close()
    assert len(server.taken) == 2


def test_the_url_may_be_a_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://127.0.0.1:1/T0/s3cr3t\n")
    output = sender(tmp_path, f"type: webhook, url_file: {tmp_path}/url")
    with pytest.raises(Unavailable) as caught:
        send(output)
    assert "s3cr3t" not in str(caught.value)
    (tmp_path / "url").unlink()
    with pytest.raises(Unavailable, match="url cannot be read"):
        send(output)


def context(paths: Any) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(paths.cert, paths.key)
    return made


def test_certificates_are_verified(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    with receivers.http(context=context(papers.issue(Role.COLLECTOR, "main"))) as server:
        stranger = sender(tmp_path, f"type: webhook, url: '{server.url}'")
        with pytest.raises(Unavailable, match=r"(?i)certificate verify failed"):
            send(stranger)
        output = sender(tmp_path, f"type: webhook, tls: {{ca_file: {papers.ca}}}, url: '{server.url}'")
        send(output)
        output.close()
        assert len(server.taken) == 1
    with receivers.http(context=context(papers.issue(Role.COLLECTOR, "main", hosts=["other.example"]))) as server:
        wrong = sender(tmp_path, f"type: webhook, tls: {{ca_file: {papers.ca}}}, url: '{server.url}'")
        with pytest.raises(Unavailable, match=r"(?i)certificate verify failed"):
            send(wrong)
