"""A silence as a line: who, what, why, until when; nothing a stranger could use."""

from __future__ import annotations

from driftline.cli.agents import agent_line
from driftline.cli.silencetext import silence_line
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.matchers import parse_matcher

NS = 1_000_000_000


def test_a_line_says_all() -> None:
    silence = pb.Silence(
        id="ab12",
        matchers=[parse_matcher("kind=exec.unknown"), parse_matcher("image~nginx")],
        reason="pentest",
        author="ann",
        made_by="reviewer/ann",
        expires_wall_ns=1_700_000_000 * NS,
        hidden=12_431,
    )
    line = silence_line(silence)
    assert line.startswith(
        "silenced: 12 431 by ann as reviewer/ann (ab12: kind=exec.unknown image~nginx; pentest; until "
    )


def test_a_hostile_message_stays_on_its_line() -> None:
    hostile = "\x1b[2J\nfine"
    silence = pb.Silence(
        id="x",
        reason=hostile,
        author=hostile,
        made_by=hostile,
        matchers=[pb.Matcher(field=hostile, operator=1, value=hostile)],
        expires_wall_ns=2**62,
    )
    assert silence_line(silence).isprintable()


def test_an_agent_as_a_line() -> None:
    status = pb.AgentStatus(
        hello=pb.Hello(node="n\x1b", version="1"), last_seen_wall_ns=5 * NS, stopped=True, troubles=["agent.silent"]
    )
    line = agent_line(status, 1_305 * NS)
    assert line.isprintable()
    assert "stopped" in line
    assert "heard 1 300 s ago" in line
    assert line.endswith("agent.silent")
