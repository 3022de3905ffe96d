"""A real agent and its collector: probes, metrics that dashboards ask for, a storm, and what a kill leaves behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.rig import PATIENCE, listing, until
from driftline.wire.client import CollectorClient
from driftline_collector.outputs.configfile import read_outputs
from driftline_collector.sentinel import Watching
from driftline_collector.server import Collector, Looking
from rig.agent import Agent
from rig.kernel_objects import links_of
from rig.prometheus import asked, exposed, promtool, queries, scrape

pytestmark = pytest.mark.containers
ADDED = {"instance", "job", "container", "node"}
"""Labels Prometheus adds to what it scrapes."""
PAGE = (Path(__file__).resolve().parents[2] / "docs/metrics-and-losses.md").read_text()


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    config = tmp_path / "outputs.yaml"
    config.write_text(f"outputs:\n  - {{name: a, type: file, path: {tmp_path}/out}}\n")
    looking = Looking("127.0.0.1:0", Watching(silent_after=5.0))
    running = Collector(tmp_path / "store", outputs=read_outputs(config), looking=looking)
    running.start()
    yield running
    running.stop()


def reporting(tmp_path: Path, address: str, *options: str) -> Agent:
    timing = ("--heartbeat-seconds", "0.5", "--http", "127.0.0.1:0")
    return Agent(tmp_path / "agent", "--collector", address, *timing, *options, standalone=False)


def shown_at(agent: Agent) -> str:
    return agent.wait_line("health and metrics on").rpartition("http://")[2]


def status_of(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def stopped_in_order(address: str) -> bool:
    """Whether the one agent said goodbye: it may be away for long."""
    client = CollectorClient(address)
    try:
        (status,) = client.list_agents().agents
    finally:
        client.close()
    return bool(status.stopped)


def test_every_query_is_answered_and_every_metric_documented(tmp_path: Path, collector: Collector) -> None:
    with reporting(tmp_path, collector.address) as agent:
        address = shown_at(agent)
        for ready in (f"http://{address}/readyz", f"http://{collector.http_address}/readyz"):
            until(lambda: status_of(ready) == (200, "ok\n"))  # noqa: B023 - evaluated at once
        assert status_of(f"http://{address}/healthz") == (200, "ok\n")
        until(lambda: "driftline_agent_connected 1" in scrape(address))
        pages = scrape(address), scrape(collector.http_address)
    for page in pages:
        promtool("check", "metrics", text=page)
    found = exposed(pages[0]) | exposed(pages[1])
    for query in queries():
        metrics, labels = asked(query)
        assert metrics, query
        assert metrics <= found.keys(), query
        for metric in metrics:
            known = found[metric] | ADDED
            if any(re.search(rf"^{metric}[{{ ]", page, re.MULTILINE) for page in pages):  # else nothing happened yet
                assert labels <= known, (query, metric)
    table = PAGE.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE))
    counters = {f"driftline_agent_{name.replace('.', '_')}_total" for name in re.findall(r"`([a-z]+\.[a-z_]+)`", PAGE)}
    families = {re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", name) for name in found}
    assert families <= documented | counters
    assert documented <= families


def test_a_killed_agent_leaves_a_deviation_behind(tmp_path: Path, collector: Collector) -> None:
    """SIGKILL, as by an attacker with root; then it comes back, and at last stops in order."""
    with reporting(tmp_path, collector.address) as agent:
        until(lambda: 'state="connected"} 1' in scrape(collector.http_address))
        agent.stop(signal.SIGKILL)
    until(lambda: listing(collector.address, kinds=["agent.silent"]))
    (one,) = [stored.deviation for stored in listing(collector.address, kinds=["agent"])]
    assert (one.node, one.count) == ("test", 1)
    assert "did not say goodbye" in one.sentence
    with reporting(tmp_path, collector.address):
        until(lambda: listing(collector.address, kinds=["agent.silent"])[0].deviation.count == 2)
    assert "resolved" in listing(collector.address, kinds=["agent.silent"])[0].deviation.notes[-1]
    until(lambda: stopped_in_order(collector.address))
    assert len(listing(collector.address, kinds=["agent"])) == 1


def test_ready_only_while_armed_and_the_store_writable(tmp_path: Path, collector: Collector) -> None:
    agent = reporting(tmp_path, collector.address)
    agent.start()
    try:
        agent.wait_line("armed")
        address = shown_at(agent)
        until(lambda: status_of(f"http://{address}/readyz")[0] == 200)
        assert status_of(f"http://{address}/metrics")[0] == 200
    finally:
        agent.stop()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://{address}/healthz", timeout=PATIENCE)


def test_a_detached_hook_is_told(tmp_path: Path, collector: Collector) -> None:
    """As root can: bpftool takes the connect program off behind the agent's back."""
    with reporting(tmp_path, collector.address) as agent:
        until(lambda: 'state="connected"} 1' in scrape(collector.http_address))
        links = json.loads(subprocess.run(["bpftool", "-j", "link"], capture_output=True, check=True).stdout)
        ours = [link for link in links if link["id"] in links_of(agent.process.pid)]
        (connect4,) = [link for link in ours if link.get("attach_type") == "cgroup_inet4_connect"]
        subprocess.run(["bpftool", "link", "detach", "id", str(connect4["id"])], check=True)
        until(lambda: listing(collector.address, kinds=["agent.degraded"]))
        (one,) = [stored.deviation for stored in listing(collector.address, kinds=["agent.degraded"])]
    assert (one.node, list(one.notes)) == ("test", ["program on_connect4 was detached by somebody"])
