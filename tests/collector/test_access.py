"""Every role against every call, over real TLS; who is refused is told why, counted and logged, without secrets."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from collector.certificates import Papers
from collector.rig import PATIENCE, until
from driftline.errors import AccessError, CollectorError, DriftlineError, SettingsError
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.wire import service, uplink
from driftline.wire.client import CollectorClient
from driftline.wire.credentials import Credentials, Link
from driftline.wire.credentials_files import TlsPaths
from driftline.wire.gen.driftline.v1 import baseline_pb2
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.pieces import Whole
from driftline.wire.roles import READERS, Role
from driftline_collector import access
from driftline_collector.access import ALLOWED
from driftline_collector.server import Collector
from driftline_collector.tokens import TokenFile
from unit.wire import samples

METHODS = (
    "Report",
    "Tail",
    "ListDeviations",
    "ListAgents",
    "ListSilences",
    "AddSilence",
    "EndSilence",
    "ForgetAgent",
    "ListBaselines",
    "GetBaseline",
    "FetchBaseline",
    "PublishBaseline",
    "RevokeBaseline",
)
MAY: dict[str, frozenset[Role]] = {
    **dict.fromkeys(METHODS, READERS),
    "Report": frozenset({Role.AGENT}),
    "AddSilence": frozenset({Role.REVIEWER, Role.ADMIN}),
    "EndSilence": frozenset({Role.REVIEWER, Role.ADMIN}),
    "ForgetAgent": frozenset({Role.ADMIN}),
    "PublishBaseline": frozenset({Role.REVIEWER, Role.ADMIN}),
    "RevokeBaseline": frozenset({Role.REVIEWER, Role.ADMIN}),
}


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path / "pki")


@pytest.fixture
def tls(tmp_path: Path, papers: Papers) -> Iterator[Collector]:
    """A collector with certificates and a port for tokens."""
    running = Collector(tmp_path / "state", security=papers.security())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "state")


def call(method: str, link: Link, node: str = "node-a") -> None:
    """Make one call. Raises what the client raises."""
    client = CollectorClient(link)
    try:
        if method == "Report":
            stream = client.report(iter([pb.ReportRequest(hello=pb.Hello(node=node))]))
            assert [response.HasField("welcome") for response in stream] == [True]
        elif method == "Tail":
            assert [response.caught_up for response in client.tail(pb.TailRequest(replay=True))] == [True]
        elif method == "ListDeviations":
            client.list_deviations(pb.ListDeviationsRequest())
        elif method == "ListSilences":
            client.list_silences(ended=True)
        elif method == "AddSilence":
            with pytest.raises(SettingsError, match="1 to 16 matchers"):  # let in, and then told what is wrong
                client.add_silence(pb.Silence())
        elif method == "EndSilence":
            with pytest.raises(SettingsError, match="no silence in force"):
                client.end_silence(pb.EndSilenceRequest(id="x"))
        elif method == "ForgetAgent":
            with pytest.raises(SettingsError, match="ever reported"):
                client.forget_agent(pb.ForgetAgentRequest(node="x"))
        elif method.endswith("Baseline"):
            about_a_baseline(method, client)
        elif method == "ListBaselines":
            client.list_baselines()
        else:
            client.list_agents()
    finally:
        client.close()


def about_a_baseline(method: str, client: CollectorClient) -> None:
    """Make a call that is let in, and then told what is wrong."""
    if method == "GetBaseline":
        with pytest.raises(SettingsError, match="no node has learned"):
            client.get_baseline("x")
    elif method == "FetchBaseline":
        with pytest.raises(SettingsError, match="no node has learned"):
            client.fetch_baseline(pb.FetchBaselineRequest(name="x", merged=True))
    elif method == "PublishBaseline":
        with pytest.raises(SettingsError, match="names no version"):
            client.publish_baseline(Whole("x", "", baseline_pb2.BASELINE_FORMAT_MSGPACK, b"x"), "why", "who")
    else:
        with pytest.raises(SettingsError, match="names no version"):
            client.revoke_baseline(baseline_pb2.Revocation(name="x"))


def agents(link: Link) -> pb.ListAgentsResponse:
    client = CollectorClient(link)
    try:
        return client.list_agents()
    finally:
        client.close()


def sink(address: str, credentials: Credentials) -> StreamSink:
    started = StreamSink(address, AgentIdentity(node="node-a", abi=1, boot_id="b"), 1000, credentials)
    started.start()
    return started


def stored(address: str, credentials: Credentials) -> list[str]:
    client = CollectorClient(Link(address, credentials))
    try:
        page = client.list_deviations(pb.ListDeviationsRequest(page_size=1000))
        return [item.deviation.id for item in page.deviations]
    finally:
        client.close()


def test_every_method_of_the_service_is_in_the_table() -> None:
    methods = {
        f"/{service.SERVICE}/{method.name}" for method in pb.DESCRIPTOR.services_by_name["CollectorService"].methods
    }
    assert methods <= ALLOWED.keys()
    assert {f"/{service.SERVICE}/{name}" for name in METHODS} == methods


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:10.0.0.1:55", "10.0.0.1"), ("ipv6:%5Bfe80::1%5D:55", "[fe80::1]"), ("unix:", ""), ("", "")],
)
def test_an_address_is_told_without_its_port(peer: str, address: str) -> None:
    assert access.peer_address(peer) == address


@pytest.mark.parametrize("role", Role)
def test_every_certificate_against_every_call(tls: Collector, papers: Papers, role: Role) -> None:
    if role is Role.COLLECTOR:  # its certificate is for servers: TLS itself refuses it
        with pytest.raises(CollectorError, match="it refuses our certificate"):
            call("Tail", Link(tls.address, papers.credentials(role)))
        return
    link = Link(tls.address, papers.credentials(role))
    for method in METHODS:
        if role in MAY[method]:
            call(method, link)
        else:
            with pytest.raises(AccessError, match=f"role {role} may not call {method}: it needs"):
                call(method, link)


@pytest.mark.parametrize("role", sorted(READERS))
def test_every_token_against_every_call(tls: Collector, papers: Papers, tokens: TokenFile, role: Role) -> None:
    secret = tokens.add("t", role, 1)
    link = Link(tls.token_address, Credentials(TlsPaths(ca=papers.ca), secret))
    for method in METHODS:
        if role in MAY[method]:
            call(method, link)
        else:
            with pytest.raises(AccessError, match=f"role {role} may not call {method}"):
                call(method, link)


def test_an_agent_writes_only_as_its_own_node(tls: Collector, papers: Papers, caplog: pytest.LogCaptureFixture) -> None:
    link = Link(tls.address, papers.credentials(Role.AGENT, "node-a"))
    with pytest.raises(AccessError, match="the certificate is of node 'node-a', it cannot report as 'node-b'"):
        call("Report", link, "node-b")
    call("Report", link, "node-a")
    answer = agents(Link(tls.address, papers.credentials(Role.READER, "ann")))
    assert [(status.hello.node, status.transport) for status in answer.agents] == [("node-a", "certificate")]
    assert answer.access["access.refused.permission_denied"] == 1
    assert answer.access["access.admitted"] >= 2
    assert answer.access["access.handshakes"] >= 3
    assert not answer.warnings
    assert "refused /driftline.v1.CollectorService/Report from 127.0.0.1: the certificate is of node" in caplog.text


def test_a_node_with_an_unusual_name(tls: Collector, papers: Papers) -> None:
    name = "Knoten ä/7%"
    call("Report", Link(tls.address, papers.credentials(Role.AGENT, name, "unusual")), name)


def test_deviations_arrive_over_tls(tls: Collector, papers: Papers) -> None:
    agent, deviation = sink(tls.address, papers.credentials(Role.AGENT)), samples.deviation()
    agent.submit(deviation)
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert stored(tls.address, papers.credentials(Role.READER, "ann")) == [deviation.id]


def test_the_name_of_the_collector_is_verified(tmp_path: Path, papers: Papers) -> None:
    running = Collector(tmp_path / "state", security=papers.security(["collector.example", "127.9.9.9"]))
    address = running.start()
    try:
        with pytest.raises(CollectorError, match=r"its certificate is for another name than 127\.0\.0\.1"):
            call("Tail", Link(address, papers.credentials(Role.READER)))
    finally:
        running.stop()


def test_a_host_name_is_verified(tls: Collector, papers: Papers) -> None:
    call("Tail", Link(tls.address.replace("127.0.0.1", "localhost"), papers.credentials(Role.READER)))


def test_a_collector_of_another_ca_is_not_believed(tls: Collector, papers: Papers, tmp_path: Path) -> None:
    other = Papers(tmp_path / "other")
    with pytest.raises(CollectorError, match=f"its certificate was not issued by the CA in {other.ca}"):
        call("Tail", Link(tls.address, other.credentials(Role.READER)))


def test_a_client_of_another_ca_is_refused(tls: Collector, papers: Papers, tmp_path: Path) -> None:
    paths = Papers(tmp_path / "other").issue(Role.ADMIN)._replace(ca=papers.ca)
    with pytest.raises(CollectorError, match=f"it refuses our certificate {paths.cert}"):
        call("Tail", Link(tls.address, Credentials(paths)))


def test_no_certificate_on_the_port_for_certificates(tls: Collector, papers: Papers, tokens: TokenFile) -> None:
    credentials = Credentials(TlsPaths(ca=papers.ca), tokens.add("t", Role.ADMIN, 1))
    with pytest.raises(CollectorError, match="it wants a certificate"):
        call("Tail", Link(tls.address, credentials))


def test_a_certificate_without_a_role_is_refused(
    tls: Collector, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for uri in ("driftline:root/a", "driftline:admin/a/b", "driftline:admin/%61", "spiffe://driftline/admin/a"):
        with monkeypatch.context() as patch:
            patch.setattr("driftline.cli.certs.identity_uri", lambda _identity, uri=uri: uri)
            link = Link(tls.address, papers.credentials(Role.ADMIN))
        with pytest.raises(AccessError, match="the certificate has no URI like driftline:agent/NODE"):
            call("Tail", link)


def test_a_certificate_that_expires_ends_new_connections(
    tls: Collector, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read while it was good, as by a program that has run for months."""
    good = Link(tls.address, papers.credentials(Role.READER))
    files = good.files()
    assert files is not None
    with monkeypatch.context() as patch:
        patch.setattr("driftline.cli.certs.SLACK", timedelta(days=3))
        paths = papers.issue(Role.READER, "late", days=-1)
    old = files._replace(cert=Path(paths.cert).read_bytes(), key=Path(paths.key).read_bytes())
    monkeypatch.setattr(good, "files", lambda: old)
    with pytest.raises(CollectorError, match="cannot be reached"):
        call("Tail", good)
    with pytest.raises(DriftlineError, match=r"late\.pem expired on 20"):
        Link(tls.address, Credentials(paths))


def test_plain_text_to_a_tls_port(tls: Collector) -> None:
    with pytest.raises(CollectorError, match="it wants an encrypted connection"):
        call("Tail", Link(tls.address))


def test_tls_to_a_plain_text_port(collector: str, papers: Papers) -> None:
    with pytest.raises(CollectorError, match="it does not speak TLS"):
        call("Tail", Link(collector, papers.credentials(Role.READER)))


def test_plain_text_on_the_loopback_may_do_everything(collector: str) -> None:
    for method in METHODS:
        call(method, Link(collector))
    answer = agents(Link(collector))
    assert [status.transport for status in answer.agents] == ["plaintext"]
    assert not answer.warnings


def test_a_token_on_the_plain_loopback_has_its_role(collector: str, tokens: TokenFile) -> None:
    link = Link(collector, Credentials(token=tokens.add("t", Role.READER, 1)))
    call("Tail", link)
    with pytest.raises(AccessError, match="may not call Report"):
        call("Report", link)
    tokens.remove("t")
    with pytest.raises(AccessError, match="unknown, expired or removed"):
        call("Tail", link)


def test_a_wrong_and_an_expired_token(
    tls: Collector, papers: Papers, tokens: TokenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Link(tls.token_address, Credentials(TlsPaths(ca=papers.ca), "dlt_wrong"))
    with pytest.raises(AccessError, match="unknown, expired or removed"):
        call("Tail", link)
    secret = tokens.add("t", Role.READER, 1)
    late = time.time() + 2 * 86400
    monkeypatch.setattr("driftline_collector.tokens.time.time", lambda: late)
    with pytest.raises(AccessError, match="unknown, expired or removed"):
        call("Tail", Link(tls.token_address, Credentials(TlsPaths(ca=papers.ca), secret)))


def test_removing_a_token_ends_its_tail(tls: Collector, papers: Papers, tokens: TokenFile) -> None:
    secret = tokens.add("t", Role.READER, 1)
    client = CollectorClient(Link(tls.token_address, Credentials(TlsPaths(ca=papers.ca), secret)))
    try:
        responses = iter(client.tail(pb.TailRequest(follow=True)))
        assert next(responses).caught_up
        tokens.remove("t")
        with pytest.raises(AccessError, match="the token it began with is no longer valid"):
            next(responses)
    finally:
        client.close()


def test_a_stream_ends_with_its_certificate(tls: Collector, papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    client = CollectorClient(Link(tls.address, papers.credentials(Role.READER)))
    try:
        responses = iter(client.tail(pb.TailRequest(follow=True)))
        assert next(responses).caught_up
        late = time.time() + 2 * 86400
        monkeypatch.setattr("driftline_collector.access.time.time", lambda: late)
        with pytest.raises(AccessError, match="the certificate it began with is no longer valid"):
            next(responses)
    finally:
        client.close()


def test_certificates_of_both_sides_are_replaced_while_streaming(
    tls: Collector, papers: Papers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(uplink, "RENEWAL_SECONDS", 0.05)
    agent, sent = sink(tls.address, papers.credentials(Role.AGENT)), [samples.deviation() for _ in range(30)]
    for index, deviation in enumerate(sent):
        agent.submit(deviation)
        if index == 10:
            papers.issue(Role.COLLECTOR, "main")
            papers.issue(Role.AGENT)
            until(lambda: "connecting anew" in caplog.text)
            until(lambda: agent.connected)
    agent.stop(PATIENCE)
    assert agent.losses() == []
    assert sorted(stored(tls.address, papers.credentials(Role.READER))) == sorted(item.id for item in sent)


def test_a_new_certificate_of_the_collector_is_used_at_once(tls: Collector, papers: Papers) -> None:
    link = Link(tls.address, papers.credentials(Role.READER))
    call("Tail", link)
    papers.issue(Role.COLLECTOR, "main", hosts=["other.example"])
    with pytest.raises(CollectorError, match="another name"):
        call("Tail", link)


def test_a_broken_new_certificate_changes_nothing(
    tls: Collector, papers: Papers, caplog: pytest.LogCaptureFixture
) -> None:
    link = Link(tls.address, papers.credentials(Role.READER))
    Path(papers.directory / "collector-main.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    for _ in range(3):
        call("Tail", link)
    assert caplog.text.count("going on with the certificate read before") == 1


def test_refusals_are_bounded_and_never_lock_out_who_may(
    tls: Collector, papers: Papers, tokens: TokenFile, caplog: pytest.LogCaptureFixture
) -> None:
    good = Link(tls.token_address, Credentials(TlsPaths(ca=papers.ca), tokens.add("t", Role.READER, 1)))
    bad = CollectorClient(Link(tls.token_address, Credentials(TlsPaths(ca=papers.ca), "dlt_bad")))
    for _ in range(access.REFUSALS_BURST):
        with pytest.raises(AccessError):
            bad.list_agents()
    for _ in range(5):
        with pytest.raises(CollectorError, match="refused too often"):
            bad.list_agents()
    bad.close()
    assert agents(good).access["access.refused.unauthenticated"] == access.REFUSALS_BURST + 5
    assert caplog.text.count("refused /driftline") == access.REFUSALS_BURST


def test_new_streams_are_bounded_for_each_caller(
    tls: Collector, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = (CollectorClient(Link(tls.address, papers.credentials(Role.READER, name))) for name in ("ann", "bob"))

    def tail(client: CollectorClient, times: int) -> None:
        for _ in range(times):
            list(client.tail(pb.TailRequest(replay=True)))

    with pytest.raises(CollectorError, match="too many new streams"):
        tail(ann, 3 * access.STREAMS_BURST)
    tail(bob, 1)
    ann.list_agents()
    ann.close()
    bob.close()


def test_secrets_are_in_no_log_error_or_representation(
    tls: Collector, papers: Papers, tokens: TokenFile, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = tokens.add("t", Role.READER, 1)
    credentials = Credentials(papers.issue(Role.READER), secret)
    said = [repr(credentials), str(dataclasses.replace(credentials)), repr(Link(tls.address, credentials).files())]
    for link in (
        Link(tls.token_address, Credentials(TlsPaths(ca=papers.ca), secret + "x")),
        Link(tls.token_address, Credentials(TlsPaths(ca=papers.ca), secret)),
    ):
        with pytest.raises(DriftlineError) as caught:
            call("Report", link)
        said += [str(caught.value), repr(caught.value.__cause__)]
    keys = [line for path in papers.directory.glob("*.key") for line in path.read_text().splitlines()[1:-1]]
    everything = caplog.text + "".join(said) + (tmp_path / "state" / "tokens.jsonl").read_text()
    assert len(keys) >= 6
    assert not [one for one in [secret, *keys] if one in everything]
    for path in (tmp_path / "state").iterdir():
        assert secret.encode() not in path.read_bytes()
