"""The syslog output against real sockets: UDP, TCP, TLS, Unix; receivers that go, come, and stop reading."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest

from collector.certificates import Papers
from collector.outputs import receivers
from collector.outputs.rig import sender, until
from collector.outputs.test_outputs_http import context
from driftline.wire.roles import Role
from driftline_collector.outputs.sending import Sender, Unavailable
from rig import ports
from unit.collector.outputs import things
from unit.collector.outputs.test_syslog import parse


def send(output: Sender, count: int = 5) -> list[str]:
    items = [things.stored(number) for number in range(count)]
    output.send(items)
    return [item.deviation.id for item in items]


def ids(messages: list[bytes]) -> list[str]:
    return [parse(message)[1]["id"] for message in messages]


def port(listener: receivers.StreamListener) -> int:
    return int(listener.listener.getsockname()[1])


def test_udp(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(receivers.PATIENCE)
        output = sender(tmp_path, f"type: syslog, to: 'udp://127.0.0.1:{server.getsockname()[1]}'")
        sent = send(output)
        output.send([things.stored(sentence="s" * 9000)])
        messages = [server.recv(65_536) for _ in range(6)]
        output.close()
    assert ids(messages[:5]) == sent
    assert len(messages[5]) <= 2048
    assert "truncated" in parse(messages[5])[1]


def test_tcp_counts_octets(tmp_path: Path) -> None:
    with receivers.tcp() as server:
        output = sender(tmp_path, f"type: syslog, to: 'tcp://127.0.0.1:{port(server)}'")
        sent = send(output, 100)
        until(lambda: len(server.messages) == 100)
        output.close()
    assert ids(server.messages) == sent


def test_tls(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    with receivers.tcp(context=context(papers.issue(Role.COLLECTOR, "main"))) as server:
        to = f"to: 'tls://127.0.0.1:{port(server)}'"
        output = sender(tmp_path, f"type: syslog, tls: {{ca_file: {papers.ca}}}, {to}")
        sent = send(output, 100)
        until(lambda: len(server.messages) == 100)
        output.close()
        assert ids(server.messages) == sent
        with pytest.raises(Unavailable, match=r"(?i)certificate verify failed"):
            send(sender(tmp_path, f"type: syslog, {to}"))


@pytest.mark.parametrize("body", ["sentence", "json"])
def test_unix_datagrams(tmp_path: Path, body: str) -> None:
    """As rsyslog and journald offer /dev/log."""
    with receivers.unix(tmp_path / "log", socket.SOCK_DGRAM) as server:
        output = sender(tmp_path, f"type: syslog, body: {body}, to: 'unix:{tmp_path}/log'")
        sent = send(output, 3)
        assert ids([server.recv(65_536) for _ in range(3)]) == sent
        output.close()


def test_unix_streams(tmp_path: Path) -> None:
    """As some others offer it."""
    with receivers.unix(tmp_path / "log", socket.SOCK_STREAM) as listener:
        server = receivers.StreamListener(listener)
        output = sender(tmp_path, f"type: syslog, to: 'unix:{tmp_path}/log'")
        sent = send(output, 3)
        until(lambda: len(server.messages) == 3)
        output.close()
        server.close()
    assert ids(server.messages) == sent


def test_a_server_that_was_restarted_gets_the_next_batch(tmp_path: Path) -> None:
    number = ports.free()
    with receivers.tcp(number) as first:
        output = sender(tmp_path, f"type: syslog, to: 'tcp://127.0.0.1:{number}'")
        send(output)
        until(lambda: len(first.messages) == 5)
    with pytest.raises(Unavailable, match="refused"):
        send(output)
    with receivers.tcp(number) as second:
        sent = send(output)
        until(lambda: len(second.messages) == 5)
        second.cut()
        time.sleep(0.05)
        sent += send(output)  # notices the end before it sends
        until(lambda: len(second.messages) == 10)
        output.close()
    assert ids(second.messages) == sent


def test_a_receiver_that_does_not_read_is_given_up_and_gets_it_again(tmp_path: Path) -> None:
    with receivers.tcp() as server:
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        output = sender(tmp_path, f"type: syslog, timeout_seconds: 0.3, to: 'tcp://127.0.0.1:{port(server)}'")
        server.reading.clear()
        items = [things.stored(number, sentence="s" * 7000) for number in range(2000)]
        with pytest.raises(Unavailable, match=r"timed out|takes nothing"):
            output.send(items)
        server.reading.set()
        server.cut()

        def again() -> bool:
            with contextlib.suppress(Unavailable):  # its buffers are small, and it reads when it has the time
                return bool(send(output))
            return False

        until(again)
        until(lambda: len(server.messages) >= 5)
        output.close()


def test_what_a_dying_connection_swallowed_is_not_counted_as_sent(tmp_path: Path) -> None:
    """The other side accepts, reads a little, and resets the connection: the batch must fail."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reset() -> None:
            connection, _ = server.accept()
            connection.recv(10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()

        thread = threading.Thread(target=reset)
        thread.start()
        output = sender(tmp_path, f"type: syslog, timeout_seconds: 5, to: 'tcp://127.0.0.1:{server.getsockname()[1]}'")
        with pytest.raises(Unavailable):
            output.send([things.stored(number, sentence="s" * 7000) for number in range(2000)])
        thread.join()
        output.close()
