"""The life of a baseline with real containers: learned together, across a kill, over an image update, by workload,
healed, and changed by a person while the agent runs."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, Entry, Standing, State
from driftline.nouns import ConnectBehaviour, ExecBehaviour, OpenBehaviour
from rig import containerd, images, rootfs
from rig.agent import Agent
from unit.inventory.roots import fill

pytestmark = pytest.mark.containers

SERVICE = """#!/bin/sh
cat /etc/common
{version}
while :; do
  for order in /orders/*; do
    [ -e "$order" ] || continue
    case "${{order##*/}}" in
      dropped*) [ -e /tmp/dropped ] || cp /bin/busybox /tmp/dropped; /tmp/dropped true;;
      sum*) factor 6;;
      words*) wc /etc/common;;
      data*) cat /volume/data;;
      port*) /work/connects tcp 127.0.0.1 "${{order##*/port}}" 1;;
    esac
    rm -f "$order"
  done
  sleep 0.1
done
"""


@dataclass
class Service:
    """A container that does what it is told by files, so that nobody enters it."""

    orders: Path
    task: containerd.Task | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def do(self, *orders: str) -> None:
        """Have it done, one after the other, and wait until it is."""
        for order in orders:
            self.put(order)
            self.wait()

    def put(self, order: str) -> None:
        """Have it done at some time, also before the container runs."""
        name = order if order.startswith("port") else f"{order}-{next(self.numbers)}"
        (self.orders / name).touch()

    def wait(self) -> None:
        """Wait until all is done."""
        deadline = time.monotonic() + 30
        while left := [place.name for place in self.orders.iterdir()]:
            assert time.monotonic() < deadline, f"{left} were not done"
            time.sleep(0.02)


class Node:
    """A private containerd with the service's images, and a state directory for agents."""

    def __init__(self, daemon: containerd.Containerd, directory: Path) -> None:
        self.daemon, self.directory, self.state = daemon, directory, directory / "state"
        self._numbers = itertools.count()
        self.digests: dict[str, str] = {}

    def build(self, version: str, extra: str = ":") -> str:
        """Make and pull a version of the image; return its reference."""
        text = SERVICE.format(version=extra)
        layer = fill(self.directory / f"layer-{version}", {"/service": text, "/etc/common": "common\n"})
        (layer / "service").chmod(0o755)
        (layer / "orders").mkdir()
        (layer / "volume").mkdir()
        layers = [*reversed(rootfs.default_layers()), layer]
        options = images.ImageOptions(entrypoint=["/bin/sh", "/service"])
        image = images.build(f"localhost/life:{version}", layers, options, self.directory / f"{version}.tar")
        self.daemon.pull(image)
        self.digests[image.name] = image.digest
        return image.name

    def run(self, image: str, workload: str = "", *, do: Sequence[str] = ()) -> Service:
        """Start a container and wait until it has done ``do``; ``workload``: of a pod in the namespace "shop".

        What must be learned is ordered here: the time to learn runs from the container's start.
        """
        number = next(self._numbers)
        orders, volume = self.directory / f"orders-{number}", self.directory / f"volume-{number}"
        orders.mkdir()
        fill(volume, {"/data": "data\n"})
        labels = {
            "io.kubernetes.pod.name": f"{workload}-0",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.container.name": "app",
        }
        options = containerd.RunOptions(
            volumes={"/orders": orders, "/volume": volume},
            labels=labels if workload else {},
        )
        service = Service(orders)
        for order in do:
            service.put(order)
        service.task = self.daemon.run(image, f"life-{os.getpid()}-{number}", options)
        service.wait()
        return service

    def agent(self, seconds: float, quiet: float = 1.0, *options: str) -> Agent:
        """An agent that learns for ``seconds``."""
        scope = ("--containerd-socket", str(self.daemon.socket), "--no-inventory")
        learn = ("--learn-seconds", str(seconds), "--learn-quiet-seconds", str(quiet))
        return Agent(self.state, *learn, *scope, "--identify-seconds", "20", *options)

    def baseline(self, image: str, workload: str = "") -> Baseline:
        """What is on disk now."""
        name = self.digests[image] + (f"+shop/{workload}" if workload else "")
        found = BaselineStore(str(self.state)).load_one(name)
        assert isinstance(found, Baseline), found
        return found

    def driftline(self, *words: str) -> str:
        """Run a command as an operator would."""
        command = [sys.executable, "-m", "driftline", *words, "--state-dir", str(self.state)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with containerd.running() as daemon:
        yield Node(daemon, tmp_path)


def applet(name: str) -> ExecBehaviour:
    return ExecBehaviour("/bin/busybox", name, "/bin/busybox", False)


def entry(baseline: Baseline, name: str) -> Entry:
    return next(
        one for what, one in baseline.entries.items() if isinstance(what, ExecBehaviour) and what.invoked == name
    )


def of(agent: Agent, kind: str, what: str) -> list[dict[str, Any]]:
    return [one for one in agent.deviations if one["kind"] == kind and what in one["what"]]


def test_two_containers_learn_together_and_an_approval_silences_while_the_agent_runs(node: Node) -> None:
    image = node.build("1")
    with node.agent(5) as agent:
        one, two = node.run(image, do=["words"]), node.run(image, do=["words", "dropped"])
        line = agent.wait_line(f"detecting {image}")
        assert "partial" not in line
        found = node.baseline(image)
        assert (found.state, found.revision, found.startups) == (State.CANDIDATE, 1, 2)
        assert len(entry(found, "wc").containers) == 2
        assert entry(found, "dropped").standing is Standing.NEEDS_REVIEW
        assert of(agent, "exec.drift", "/tmp/dropped")  # on its very first run
        one.do("dropped", "sum")
        agent.wait_deviation("exec.unknown", "factor")
        assert not all(one["learning"] for one in of(agent, "exec.drift", "/tmp/dropped"))  # and still, after it
        node.driftline(
            *("baseline", "approve", found.key, "--all-needs-review", "--any-content"),
            *("--reason", "ours", "--author", "alice"),
        )
        agent.wait_line("revision 2 is in force (approve by alice)")
        before = [one["id"] for one in agent.deviations]
        two.do("dropped", "sum")
        agent.wait(lambda: [one for one in agent.deviations if one["id"] not in before and "factor" in one["what"]])
        assert [one["what"] for one in agent.deviations if one["id"] not in before and "dropped" in one["what"]] == []


def test_learning_goes_on_after_the_agent_was_killed(node: Node) -> None:
    image = node.build("1")
    agent = node.agent(6)
    with agent:
        first = node.run(image, do=["words"])
        agent.wait_line(f"detecting {image}")
        agent.stop(signal.SIGKILL)
    assert node.baseline(image).reasons == ()
    with node.agent(6) as again:
        first.do("words", "sum")
        again.wait_deviation("exec.unknown", "factor")
        assert of(again, "exec.unknown", "wc") == []


def test_a_kill_in_the_middle_of_learning_is_made_good_by_the_next_start(node: Node) -> None:
    image = node.build("1")
    agent = node.agent(30, 5)
    with agent:
        node.run(image, do=["words"])
        agent.wait(lambda: (node.state / "baselines").is_dir() and applet("wc") in _entries(node, image), 40)
        agent.stop(signal.SIGKILL)
    half = node.baseline(image)
    assert (half.state, half.revision) == (State.LEARNING, 0)
    with node.agent(half.elapsed_ns / 1e9 + 6, 1) as again:
        again.wait(lambda: node.baseline(image).partial == ("attached late",), 40)
        node.run(image, do=["sum"])
        line = again.wait_line(f"detecting {image}")
        assert "partial" not in line  # the second container's start-up was seen
    done = node.baseline(image)
    assert {"wc", "factor"} <= {one.invoked for one in done.entries if isinstance(one, ExecBehaviour)}
    assert len(done.containers) == 2


def _entries(node: Node, image: str) -> dict[Any, Entry]:
    found = BaselineStore(str(node.state)).load_one(node.digests[image])
    return found.entries if isinstance(found, Baseline) else {}


def test_an_image_update_is_watched_from_its_first_second(node: Node) -> None:
    old, new = node.build("1"), node.build("2", "cat /etc/group")
    with node.agent(4) as agent:
        first = node.run(old, do=["words", "port7001"])
        agent.wait_line(f"detecting {old}")
        told = len(agent.deviations)
        second = node.run(new, do=["port7001", "words", "sum", "dropped"])
        dropped = agent.wait_deviation("exec.drift", "/tmp/dropped")
        assert (dropped["severity"], dropped["subject"]["image"]) == ("critical", new)
        novel = agent.wait_deviation("exec.unknown", "factor")
        assert (novel["severity"], novel["learning"]) == ("low", True)
        assert any("being learned again" in note for note in novel["notes"])
        confirmed = agent.wait_deviation("exec.unknown", "wc")
        assert confirmed["severity"] == "low"
        assert [one["what"] for one in agent.deviations[told:] if one["kind"] == "connect.unknown"] == []
        first.do("sum")  # the old version is judged by its own baseline
        agent.wait(lambda: [one for one in of(agent, "exec.unknown", "factor") if one["subject"]["image"] == old])
        agent.wait_line(f"detecting {new}")
        found = node.baseline(new)
        assert (found.predecessor, found.state, found.reasons) == (node.digests[old], State.CANDIDATE, ())
        assert {entry(found, name).standing for name in ("wc", "factor")} == {Standing.ALLOWED}
        assert entry(found, "dropped").standing is Standing.NEEDS_REVIEW
        told = len(agent.deviations)
        second.do("words", "sum", "data")
        agent.wait_deviation("file.read.unknown", "/volume/data")
        assert [one["what"] for one in agent.deviations[told:] if one["kind"] == "exec.unknown"] == []


def test_two_workloads_of_one_image_have_their_own_connects_and_volumes(node: Node) -> None:
    image = node.build("1")
    with node.agent(4) as agent:
        web, admin = node.run(image, "web", do=["port7001", "data"]), node.run(image, "admin", do=["port7002"])
        agent.wait_line(f"detecting {image}: ")
        agent.wait_line(f"detecting {image} in shop/web")
        agent.wait_line(f"detecting {image} in shop/admin")
        told = len(agent.deviations)
        web.do("port7001", "data")
        admin.do("port7002")
        web.do("port7002")
        admin.do("port7001", "data")
        agent.wait_deviation("file.read.unknown", "/volume/data")
        wrong = [(one["subject"]["workload"], one["what"]) for one in agent.deviations[told:]]
        assert wrong == [("web", "loopback:7002/tcp"), ("admin", "loopback:7001/tcp"), ("admin", "/volume/data")]
    added = node.baseline(image, "web").entries
    assert {one for one in added if not isinstance(one, OpenBehaviour)} == {ConnectBehaviour("tcp", "loopback", 7001)}
    assert OpenBehaviour("/volume/data", "read") in added
    assert not [one for one in node.baseline(image).entries if isinstance(one, ConnectBehaviour)]


def test_what_was_missing_heals_when_a_container_starts(node: Node) -> None:
    image = node.build("1")
    node.run(image, do=["words"])
    with node.agent(4) as agent:
        assert "partial: attached late" in agent.wait_line(f"detecting {image}")
        later = node.run(image, do=["sum"])
        novel = agent.wait_deviation("exec.unknown", "factor")
        assert novel["severity"] == "low"
        assert "being learned again: attached late" in novel["notes"]
        agent.wait(lambda: len([line for line in agent.lines if f"detecting {image}" in line]) == 2)
        found = node.baseline(image)
        assert (found.revision, found.reasons, found.reviews[-1].action) == (2, (), "heal")
        told = len(agent.deviations)
        later.do("sum", "data")
        agent.wait_deviation("file.read.unknown", "/volume/data")
        assert [one["what"] for one in agent.deviations[told:] if one["kind"] == "exec.unknown"] == []
