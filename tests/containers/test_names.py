"""The name a real container was told for an address is in the deviation, and in no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig import dns
from rig.agent import Agent
from rig.bundle import ContainerOptions
from rig.runc import RuncContainer

pytestmark = pytest.mark.containers

SERVER = dns.LOOPBACK
NAMED, UNNAMED = "192.0.2.77", "192.0.2.78"


def test_a_connect_is_told_with_the_name_asked_for(tmp_path: Path) -> None:
    with (
        Agent(tmp_path, "--learn-seconds", "1", "--learn-quiet-seconds", "0.5", "--no-inventory") as agent,
        RuncContainer(ContainerOptions(host_network=True)) as box,
    ):
        agent.wait_line("detecting")
        with dns.server(SERVER, lambda query: dns.answer_to(query, [NAMED])):
            box.run(["/bin/nslookup", "Api.Example.com", SERVER], check=False)
        for address in (NAMED, UNNAMED):
            box.run(["/work/connects", "udp", address, "443", "1"])
        unnamed = agent.wait_deviation("connect.unknown", UNNAMED)
        named = agent.wait_deviation("connect.unknown", f"{NAMED}:443")
    assert named["subject"]["container_id"] == box.id
    assert any(note.startswith(f"name: api.example.com (DNS answer by {SERVER}, ") for note in named["notes"])
    assert not any(note.startswith("name:") for note in unnamed["notes"])
