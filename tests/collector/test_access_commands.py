"""docs/access.md as its reader types it, and what the commands say when something is wrong. No output has a secret."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.rig import DRIFTLINE, PATIENCE
from driftline.errors import AccessError, SettingsError
from driftline.report.stream import AgentIdentity, StreamSink
from driftline.wire.client import CollectorClient
from driftline.wire.credentials import Credentials, Link
from driftline.wire.credentials_files import TlsPaths
from rig import ports
from unit.wire import samples

PAGE = (Path(__file__).resolve().parents[2] / "docs/access.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.partition("## Walk-through")[2].partition("\n## ")[0], re.DOTALL)


class Shell:
    """Runs lines of the page in ``directory``, with ports that are free; keeps all that was said."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.said = ""
        self.collectors: list[subprocess.Popen[str]] = []
        self._ports = {"4780": str(ports.free()), "4781": str(ports.free())}

    def words(self, line: str) -> list[str]:
        for port, free in self._ports.items():
            line = line.replace(f":{port}", f":{free}")
        first, *rest = shlex.split(line)
        assert first == "driftline"
        if rest[0] == "collector" and rest[1].startswith("--"):
            rest += ["--http", ""]  # its default port may be another test's
        return [*DRIFTLINE, *rest]

    def run(self, line: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
        variables = os.environ | (environment or {})
        done = subprocess.run(
            self.words(line), cwd=self.directory, env=variables, capture_output=True, text=True, timeout=PATIENCE
        )
        assert "Traceback" not in done.stderr, done.stderr
        self.said += done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    def collector(self, line: str) -> list[str]:
        """Start it; return what it says until it listens, and what comes with that."""
        process = subprocess.Popen(self.words(line), cwd=self.directory, stderr=subprocess.PIPE, text=True)
        self.collectors.append(process)
        assert process.stderr is not None
        lines = [process.stderr.readline()]
        if "--insecure-plaintext" in line:
            lines.append(process.stderr.readline())
        return lines

    def stop(self) -> None:
        for process in self.collectors:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=PATIENCE)
            self.said += said
        self.collectors.clear()

    def secrets(self) -> list[str]:
        keys = [line for path in self.directory.rglob("*.key") for line in path.read_text().splitlines()[1:-1]]
        return keys + [path.read_text().strip() for path in self.directory.rglob("*.token")]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.stop()
    secrets = made.secrets()
    assert not [secret for secret in secrets if secret in made.said]


def lines(block: str) -> list[str]:
    return block.replace("\\\n", " ").strip().splitlines()


def option(line: str, name: str) -> str:
    words = shlex.split(line)
    return words[words.index(name) + 1]


def test_the_walk_through(shell: Shell) -> None:
    certificates, collector, agent, reader, token, removal = map(lines, BLOCKS)
    for line in certificates:
        assert shell.run(line)[0] == 0
    (listening,) = shell.collector(*collector)
    assert re.search(r"listening on 0\.0\.0\.0:\d+ \(mTLS\) and for tokens on 0\.0\.0\.0:\d+, state state", listening)

    paths = TlsPaths(*(str(shell.directory / option(agent[0], f"--tls-{name}")) for name in ("ca", "cert", "key")))
    address = option(" ".join(shell.words(agent[0])), "--collector")
    identity = AgentIdentity(node=option(agent[0], "--node"), boot_id="b")
    sink = StreamSink(address, identity, 10, Credentials(paths))
    sink.start()
    sink.submit(samples.deviation(node=identity.node, sentence="seen over TLS"))
    sink.stop(PATIENCE)
    assert sink.losses() == []

    assert "seen over TLS" in shell.run(reader[0])[1]
    add, tail, listed = token
    assert shell.run(add)[0] == 0
    assert "seen over TLS" in shell.run(tail)[1]
    secret = (shell.directory / "bob.token").read_text().strip()
    assert "seen over TLS" in shell.run(tail.replace("--token-file bob.token", ""), {"DRIFTLINE_TOKEN": secret})[1]
    assert "bob" in shell.run(listed)[1]
    remove, refused = removal
    assert shell.run(remove)[0] == 0
    status, said = shell.run(refused)
    assert (status, "the token is unknown, expired or removed" in said) == (AccessError.exit_status, True), said
    assert len(shell.secrets()) >= 5


def test_a_followed_tail_ends_when_it_is_refused(shell: Shell) -> None:
    for line in lines(BLOCKS[0]):
        shell.run(line)
    shell.collector(lines(BLOCKS[1])[0])
    (tail,) = lines(BLOCKS[3])
    as_agent = tail.replace("reader-ann", "agent-node-1").replace("--no-follow", "")
    status, said = shell.run(as_agent)
    assert status == AccessError.exit_status
    assert "role agent may not call Tail: it needs admin or reader or reviewer" in said


def test_unencrypted_beyond_the_loopback_is_said_aloud(shell: Shell) -> None:
    listening, warning = shell.collector("driftline collector --listen 0.0.0.0:0 --state state --insecure-plaintext")
    assert "listening on 0.0.0.0:" in listening
    assert "WARNING: --insecure-plaintext: 0.0.0.0:0 is not encrypted and asks nobody who he is" in warning
    port = re.search(r"0\.0\.0\.0:(\d+)", listening)
    assert port
    client = CollectorClient(Link(f"127.0.0.1:{port[1]}"))
    assert [text.partition(":")[0] for text in client.list_agents().warnings] == ["WARNING"]
    client.close()
    status, said = shell.run(f"driftline tail --no-follow --insecure-plaintext --collector 0.0.0.0:{port[1]}")
    assert status == 0
    assert f"WARNING: --insecure-plaintext: everything to and from 0.0.0.0:{port[1]} travels unencrypted" in said


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("collector --listen 0.0.0.0:0", "0.0.0.0 is not a loopback address: agents and readers must prove who"),
        ("collector --token-listen 127.0.0.1:0", "tokens need an encrypted port"),
        ("collector --tls-cert a --tls-key b", "no CA is named for the certificates of agents and readers"),
        ("collector --tls-client-ca a", "the collector needs a certificate and its key"),
        ("collector --tls-cert a --insecure-plaintext", "exclude each other"),
        ("collector --listen collector.example:1", "is not an IP address of this machine"),
        ("collector --tls-cert a --tls-key b --tls-client-ca no", "CA certificate no cannot be read: No such file"),
        ("tail --collector collector.example:1", "collector.example is not a loopback address: the connection must"),
        ("tail --tls-ca no", "neither a certificate nor a token says who you are"),
        ("tail --token-file no", "token file no cannot be read: No such file"),
        ("agent --collector collector.example:1", "is not a loopback address: the connection must be encrypted"),
        ("agent --collector 127.0.0.1:1 --tls-ca ca", "an agent proves its node with a certificate"),
        ("agent --collector 127.0.0.1:1 --tls-ca a --tls-cert b --tls-key c", "CA certificate a cannot be read"),
        ("certs issue . --role agent --name n", "cannot be read: No such file"),
        ("certs issue . --role agent --name n --host h", "a collector's certificate names its hosts, and no other"),
        ("certs issue . --role collector --name n", "a collector's certificate names its hosts, and no other"),
        ("collector tokens add x --write t --role agent --state s", "a token cannot have the role agent"),
        ("collector tokens remove x --state s", "no token is called 'x'"),
    ],
)
def test_what_does_not_fit_is_said(shell: Shell, line: str, message: str) -> None:
    state = " --state state" if line.startswith("collector --") else ""
    status, said = shell.run(f"driftline {line}{state}")
    assert (status, message in said) == (SettingsError.exit_status, True), said
    assert not (shell.directory / "t").exists()


def test_nothing_is_written_over(shell: Shell) -> None:
    make = "driftline certs init pki"
    assert shell.run(make)[0] == 0
    before = (shell.directory / "pki/ca.key").read_bytes()
    status, said = shell.run(make)
    assert (status, "pki/ca.key exists already" in said) == (SettingsError.exit_status, True)
    assert (shell.directory / "pki/ca.key").read_bytes() == before
    assert (shell.directory / "pki/ca.key").stat().st_mode & 0o777 == 0o600


def test_no_secret_is_in_the_list_of_processes(shell: Shell) -> None:
    """Keys and tokens are named by their files."""
    for line in (line for block in BLOCKS for line in lines(block)):
        assert not [word for word in shell.words(line) if "dlt_" in word or "PRIVATE" in word]


@pytest.mark.parametrize("wrong", ["collector tokns", "certs", "collector tokens"])
def test_a_misspelt_command_starts_nothing(shell: Shell, wrong: str) -> None:
    assert shell.run(f"driftline {wrong}")[0] in (0, 2)
    assert not (shell.directory / "state").exists()
