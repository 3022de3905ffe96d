"""Nothing is lost without being counted: done = seen + each named loss, exactly.

Sensors of their own: rings, rates and counters are the test's.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from driftline.errors import HostError
from driftline.probe import sensor
from driftline.probe.build import build
from driftline.probe.layout import HEADER, OPEN_BYTES
from driftline.probe.sensor import Sensor
from driftline.settings import Settings
from kernel.watching import ROOT, Box, Watch
from rig import session
from rig.bundle import ContainerOptions

Sensors = Callable[..., AbstractContextManager[Watch]]

SECONDS = int(os.environ.get("DRIFTLINE_STORM_SECONDS", "3"))  # the requirement says 20; the suite's run is shorter
ASKED = "DRIFTLINE_STORM_SECONDS" in os.environ  # on a machine that has nothing else to do
RATE = 50_000
LOSSES = ("ring_full", "bucket_empty", "read_fault", "scratch")
STORM = ContainerOptions(tmpfs=("/storm",))
KIND, SUBJECT = 2, 6  # in the header
OPEN = 2


class Tally:
    """Counts records without keeping them."""

    def __init__(self, watch: Watch, subject: int) -> None:
        self.watch, self.subject = watch, subject
        self.kinds: Counter[int] = Counter()
        self.indexes: Counter[int] = Counter()

    def read(self) -> int:
        """Read what is there."""
        records = self.watch.sensor.read()
        for record in records:
            head = HEADER.unpack_from(record)
            self.kinds[head[1]] += 1
            if head[1] == OPEN and head[SUBJECT] == self.subject:
                name = record[OPEN_BYTES : record.index(b"\0", OPEN_BYTES)]
                if name.startswith(b"s") and b"-" in name:
                    self.indexes[int(name.rpartition(b"-")[2])] += 1
        return len(records)

    def read_until(self, process: subprocess.Popen[str]) -> None:
        """Read as the agent does until the workload has ended and the rings are empty."""
        while process.poll() is None:
            if not self.read():
                time.sleep(0.001)
        while self.read():
            pass


def lost(watch: Watch, hook: str = "open") -> int:
    return sum(watch.counted(hook, name) for name in LOSSES)


def sent(watch: Watch) -> int:
    return sum(count for (_hook, name), count in watch.sensor.counters().items() if name == "sent")


def storm(rate: int, seconds: int) -> list[str]:
    return ["/work/storm", "/storm", str(rate), str(seconds)]


@pytest.mark.timeout(60 + 3 * SECONDS)
def test_a_storm_is_seen_or_counted_exactly(sensors: Sensors) -> None:
    with sensors(watched_roots=(f"{ROOT}-storm",)) as watch, watch.box(STORM) as box:
        tally = Tally(watch, box.subject)
        process = box.container.spawn(storm(RATE, SECONDS))
        tally.read_until(process)
        assert process.stdout is not None
        done = int(process.stdout.read().split()[1])
        assert done == RATE * SECONDS
        assert sum(tally.indexes.values()) + lost(watch) == done
        assert max(tally.indexes.values()) == 1, "none twice"
        assert tally.kinds.total() + watch.read == sent(watch), "what was sent was read"
        if ASKED:
            assert lost(watch) == 0, "the rate this machine must keep up with"


def test_a_full_ring_counts_what_it_refused(sensors: Sensors) -> None:
    with sensors(watched_roots=(f"{ROOT}-ring",), ring_bytes=65536) as watch, watch.box(STORM) as box:
        box.container.run(storm(5_000, 1))
        tally = Tally(watch, box.subject)
        while tally.read():
            pass
        assert watch.counted("open", "ring_full") > 0
        assert len(tally.indexes) + watch.counted("open", "ring_full") == 5_000
        assert tally.kinds.total() + watch.read == sent(watch)
        box.container.run(storm(11, 1))
        while tally.read():
            pass
        assert lost(watch) == watch.counted("open", "ring_full"), "and it works again once it was read"
        assert tally.kinds.total() + watch.read == sent(watch)


def test_a_noisy_container_is_held_back_and_its_neighbour_is_not(sensors: Sensors) -> None:
    with (
        sensors(watched_roots=(f"{ROOT}-bucket",), open_rate=100) as watch,
        watch.box(STORM) as noisy,
        watch.box() as quiet,
    ):
        begun = time.monotonic()
        seen = noisy.see(storm(5_000, 1)).opens("/storm")
        most = 200 + 100 * (time.monotonic() - begun + 1)
        held, answers = watch.sensor.held_back(noisy.subject)
        assert 200 <= len(seen) <= most, "the burst of two seconds, and what each second brings"
        assert len(seen) + held == 5_000
        assert watch.counted("open", "bucket_empty") == held
        assert len(quiet.see(["/work/opens", "open", "/data", "0"]).execs()) == 1
        for _ in range(23):
            assert len(quiet.see(["/bin/cat", "/data/one"]).opens("/data/one")) == 1
        assert answers == 0
        assert watch.sensor.held_back(quiet.subject) == (0, 0)


def test_execs_have_a_bucket_of_their_own(sensors: Sensors) -> None:
    with sensors(watched_roots=(f"{ROOT}-execs",), exec_rate=5) as watch, watch.box() as box:
        seen = box.see(["/work/execs", "vfork", "97", "/work/nothing"]).execs("/work/nothing")
        assert len(seen) < 97
        assert len(seen) + watch.counted("exec", "bucket_empty") == 97
        assert len(box.see(["/work/opens", "openat", "/data", "0"]).opens("/data")) == 1


def identifiers() -> set[str]:
    """BPF objects this process holds, as "kind id"."""
    found = set()
    for entry in Path("/proc/self/fdinfo").iterdir():
        try:
            lines = entry.read_text().splitlines()
        except FileNotFoundError:
            continue
        found |= {line for line in lines if line.startswith(("prog_id:", "map_id:", "link_id:"))}
    return found


def descriptors() -> Counter[str]:
    """What this process has open, without sockets: those of earlier tests may close at any time."""
    found: Counter[str] = Counter()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(entry)
            found[target] += not target.startswith(("socket:", "/proc/"))
    return +found


def exists(identifier: str) -> bool:
    kind, _, number = identifier.partition("_id:")
    return (
        subprocess.run(["bpftool", kind, "show", "id", number.strip()], capture_output=True, check=False).returncode
        == 0
    )


def test_ten_starts_leave_nothing_behind(sensors: Sensors) -> None:
    before, opened = identifiers(), descriptors()
    made: set[str] = set()
    for number in range(10):
        with sensors(watched_roots=(f"{ROOT}-again{number}",)):
            made |= identifiers() - before
    assert len(made) > 10 * 20, "programs, maps and links of ten sensors"
    assert descriptors() - opened == Counter()
    deadline = time.monotonic() + 30  # the kernel frees them a moment later
    left = {one for one in made if exists(one)}
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = {one for one in left if exists(one)}
    assert left == set()


def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """The cgroup root is no cgroup: everything is loaded, most is attached, then it fails."""
    before, opened = identifiers(), descriptors()
    with pytest.raises(HostError, match="cannot be attached"):
        Sensor.start(Settings(), "sys_exit", tmp_path, session.CACHE / "bpf")
    assert identifiers() == before
    assert descriptors() - opened == Counter()


def test_without_plain_loads_the_same_is_seen(sensors: Sensors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels before 6.2, or without a JIT compiler, read by probe reads."""
    with_plain = build("sys_exit", Settings().ring_bytes, session.CACHE / "bpf")
    without = build("sys_exit", Settings().ring_bytes, session.CACHE / "bpf", plain_loads=False)
    assert with_plain != without, "this kernel has both"
    monkeypatch.setattr(sensor, "build", lambda *_arguments, **_named: without)
    with sensors(watched_roots=(f"{ROOT}-reads",)) as watch, watch.box(STORM) as box:
        seen = box.see(["/bin/sh", "-c", "cat /data/one; echo x >/storm/f000000; /work/opens open /storm 1"])
        assert [event.file.path for event in seen.opens()] == ["/data/one", "/storm/f000000", "/storm/f000000"]
        assert len(seen.execs()) == 3


def test_a_container_of_a_gone_sensor_is_still_seen_by_the_next(sensors: Sensors) -> None:
    root = f"{ROOT}-late"
    with sensors(watched_roots=(root,)) as first:
        box_of = first.box()
        box = box_of.__enter__()
    try:
        with sensors(watched_roots=(root,)) as second:
            assert len(Box(second, box.container).see(["/bin/cat", "/data/one"]).opens("/data/one")) == 1
    finally:
        box_of.__exit__(None, None, None)
