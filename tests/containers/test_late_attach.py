"""An agent that comes after the container: it learns what is there, says it came late, and is fooled by nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline
from driftline.nouns import ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour
from rig import rootfs
from rig.agent import Agent
from rig.bundle import ContainerOptions
from rig.runc import RuncContainer

pytestmark = pytest.mark.containers

LIBC, LOADER = "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"
PORT = 7777
SERVICE = f"""
exec 3</data/one 4>>/var/log/service
/usr/bin/dynamic-sleep 600 &
until grep -q libc /proc/$!/maps; do sleep 0.1; done
sleep 600 | nc -l -p {PORT} >/dev/null &
until grep -q ":{PORT:04X} .* 0A " /proc/net/tcp6; do sleep 0.1; done
sleep 600 | nc 127.0.0.1 {PORT} >/dev/null &
until grep -q ":{PORT:04X} 01 " /proc/net/tcp; do sleep 0.1; done
: >/tmp/up
until [ -e /tmp/go ]; do sleep 0.1; done
cp /bin/busybox /tmp/dropped
/tmp/dropped true
exec /work/idle
"""


@dataclass
class Attached:
    """A container that ran before the agent, and what the agent has learned of it."""

    agent: Agent
    container: RuncContainer
    armed: str  # how it said that it detects
    baseline: Baseline


def image(directory: Path) -> Path:
    """A layer with a program that loads a library."""
    for source, target in (("/bin/sleep", "/usr/bin/dynamic-sleep"), (LIBC, LIBC), (LOADER, LOADER)):
        place = directory / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
    return directory


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    layer, state = image(tmp_path_factory.mktemp("layer")), tmp_path_factory.mktemp("state")
    layer.chmod(0o755)
    options = ContainerOptions(init=("/bin/sh", "-c", SERVICE))
    with RuncContainer(options, lower=(layer, *rootfs.default_layers())) as container:
        deadline = time.monotonic() + 30
        while not (container.rootfs / "tmp/up").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with Agent(state, "--learn-seconds", "2", "--learn-quiet-seconds", "0.5") as agent:
            armed = agent.wait_line(f"detecting container:{container.id}")
            found = BaselineStore(str(state)).load_one(f"container:{container.id}")
            assert isinstance(found, Baseline)
            yield Attached(agent, container, armed, found)


def test_it_says_that_it_came_late(late: Attached) -> None:
    assert "partial: attached late" in late.armed
    assert late.baseline.partial == ("attached late",)


@pytest.mark.parametrize(
    "behaviour",
    [
        OpenBehaviour("/data/one", "read"),
        OpenBehaviour("/var/log/service", "write"),
        LoadBehaviour(LIBC),
        LoadBehaviour(LOADER),
        ConnectBehaviour("tcp", "loopback", PORT),
        ExecBehaviour("/usr/bin/dynamic-sleep", "dynamic-sleep", "/bin/busybox", False),
    ],
)
def test_what_was_open_mapped_connected_and_running_is_learned(late: Attached, behaviour: object) -> None:
    assert behaviour in late.baseline.entries


def test_files_of_the_image_are_not_taken_for_dropped_ones(late: Attached) -> None:
    ours = [one for one in late.agent.deviations if one["subject"]["container_id"] == late.container.id]
    assert [one["what"] for one in ours if one["kind"] in ("exec.drift", "exec.fileless", "code.load")] == []


def test_who_comes_in_is_still_told_from_who_was_there(late: Attached) -> None:
    late.container.run(["/bin/sh", "-c", "read x < /data/two"])
    came = late.agent.wait_deviation("exec.into_container", "/bin/busybox (sh)")
    assert came["subject"]["container_id"] == late.container.id
    assert "entered" in came["flags"]
    read = late.agent.wait_deviation("file.read.unknown", "/data/two")
    assert "entered" in read["flags"]


def test_the_child_of_a_process_that_was_there_has_it_as_ancestor(late: Attached) -> None:
    late.container.run(["/bin/touch", "/tmp/go"])
    found = late.agent.wait_deviation("exec.drift", "/tmp/dropped")
    assert found["file"]["origin"] == "writable"
    assert "entered" not in found["flags"]
    assert found["ancestors"][0]["path"] == "/bin/busybox"
    assert found["ancestors"][0]["argv"][:2] == ["/bin/sh", "-c"]
    assert found["ancestors"][0]["pid"] == late.container.pid
