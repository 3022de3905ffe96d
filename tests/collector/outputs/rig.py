"""What the tests of outputs share: a collector with outputs in this process, senders from a line of configuration."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from collector.rig import PATIENCE, sink
from driftline_collector.outputs import build
from driftline_collector.outputs.configfile import read_outputs
from driftline_collector.outputs.sending import Sender
from driftline_collector.retention import Keep
from driftline_collector.server import Collector
from driftline_collector.storage import Keeping
from unit.wire import samples


def sender(tmp_path: Path, text: str) -> Sender:
    """Return the sender of the output that ``text`` describes, in YAML's flow style, without a name."""
    path = tmp_path / "outputs.yaml"
    path.write_text(f"outputs:\n  - {{name: out, {text}}}\n")
    return build.sender(read_outputs(path).outputs[0])


@contextlib.contextmanager
def collector(tmp_path: Path, text: str, keep: Keep | None = None) -> Iterator[tuple[Collector, str]]:
    """Run a collector with the outputs in ``text`` (flow style, one per line); yield it and its address."""
    path = tmp_path / "outputs.yaml"
    path.write_text("outputs:\n" + "".join(f"  - {{{line.strip()}}}\n" for line in text.strip().splitlines()))
    running = Collector(tmp_path / "state", outputs=read_outputs(path), keeping=Keeping(keep=keep or Keep()))
    try:
        yield running, running.start()
    finally:
        running.stop()


def report(address: str, number: int, **changes: object) -> list[str]:
    """Have an agent report ``number`` deviations; return their ids in order, once all are stored."""
    agent = sink(address)
    deviations = [samples.deviation(**changes) for _ in range(number)]
    for deviation in deviations:
        agent.submit(deviation)
    agent.stop(PATIENCE)
    return [deviation.id for deviation in deviations]


def written(path: Path) -> list[str]:
    """Return the ids in a file of JSON lines, as far as they are whole: it is being written."""
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    return [json.loads(line)["id"] for line in whole.splitlines()]


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for ``condition``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.01)
