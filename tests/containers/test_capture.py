"""A capture of a real container, replayed where there is neither root nor kernel: the same is learned and told."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.baseline.format.yamltext import from_yaml
from driftline.baseline.schema import Standing
from driftline.nouns import ExecBehaviour, OpenBehaviour
from driftline.source import read_notes, replay
from rig import session
from rig.runc import RuncContainer

pytestmark = pytest.mark.containers
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all")
PROBE = ["/bin/cat", "/etc/hostname"]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that nobody may write to (pytest's own are closed to others)."""
    with tempfile.TemporaryDirectory(prefix="driftline-capture-") as directory:
        Path(directory).chmod(0o777)
        yield Path(directory)


@pytest.fixture(scope="module")
def captured(place: Path) -> tuple[Path, str]:
    """A capture, and the id of the container in it that is ours: others run on this machine too."""
    file = place / "x.cap"
    command = [sys.executable, "-m", "driftline", "capture", str(file), "--watched-roots", session.NAMESPACE]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as recorder:
        assert recorder.stderr
        assert "recording" in recorder.stderr.readline()
        with RuncContainer() as container:
            for _ in range(3):
                container.run(PROBE)
            container.run(["/bin/sh", "-c", "cp /bin/busybox /tmp/sh; /tmp/sh -c 'cat /etc/shadow'"])
        recorder.send_signal(signal.SIGTERM)
        said = recorder.stderr.read()
        assert recorder.wait(30) == 0
        assert " records, " in said
    file.chmod(0o644)
    return file, container.id


def as_nobody(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*NOBODY, sys.executable, "-m", "driftline", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")


def test_its_notes_name_the_container_and_the_time(captured: tuple[Path, str]) -> None:
    notes = read_notes(captured[0])
    assert captured[1] in {subject.container_id for subject in notes.subjects.values()}
    first = min(int.from_bytes(record[8:16], "little") for batch in replay(captured[0]) for record in batch)
    assert abs(time.time_ns() - first - notes.wall_offset_ns) < 600 * 10**9


def test_events_can_be_read_by_nobody(captured: tuple[Path, str]) -> None:
    file, identifier = captured
    done = as_nobody("events", "--replay", file, "--container", identifier)
    assert done.returncode == 0, done.stderr
    kinds = [line.split()[1] for line in done.stdout.splitlines()]
    assert kinds[:2] == ["created", "exec"]
    assert kinds[-1] == "removed"
    assert sum("(writable) as /tmp/sh" in line for line in done.stdout.splitlines()) == 1


def test_learned_and_checked_by_nobody(captured: tuple[Path, str], place: Path) -> None:
    file, identifier = captured
    done = as_nobody("baseline", "learn", file, "--output", place / "baselines")
    assert done.returncode in (0, 3), done.stderr  # 3: others keep this machine busy, and something was lost
    path = place / "baselines" / f"container-{identifier}.yaml"
    learned = from_yaml(path.read_text())
    assert learned.partial == ()  # losses there may be: others keep this machine busy
    assert ExecBehaviour("/bin/busybox", "cat", "", True) in learned.entries
    assert OpenBehaviour("/etc/hostname", "read") in learned.entries
    assert learned.entries[OpenBehaviour("/etc/shadow", "read")].standing is Standing.NEEDS_REVIEW

    done = as_nobody("baseline", "check", file, "--baseline", path)
    assert done.returncode == 1, done.stderr
    ours = [line.split()[:2] for line in done.stdout.splitlines() if identifier[:12] in line]
    assert ["critical", "exec.drift"] in ours
    assert ["high", "file.read.sensitive"] in ours
