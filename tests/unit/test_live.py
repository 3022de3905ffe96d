"""What ran before us is traced: roots first, then every container and what is nested in it, then their processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from driftline.identify.hierarchy import Hierarchy
from driftline.live import trace_existing
from driftline.probe.sensor import Sensor
from driftline.settings import Settings

ID = "c" * 64
SETTINGS = Settings(node="n", watched_roots=("kubepods", "default"))


class Told:
    """The part of a sensor that is told things, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def trace(self, cgroup: int, subject: int, tree: bool, epoch: int = 0) -> bool:
        self.calls.append(("trace", cgroup, subject, tree))
        return True

    def adopt(self) -> None:
        self.calls.append(("adopt",))


def test_in_that_order(tmp_path: Path) -> None:
    for path in (f"kubepods/pod1-{'0' * 32}/{ID}/nested", "default/web", "user.slice/shell"):
        (tmp_path / path).mkdir(parents=True)
    told, seen = Told(), []
    trace_existing(Hierarchy(str(tmp_path)), cast(Sensor, told), SETTINGS, lambda cgroup, path: seen.append(path))
    number = {path: (tmp_path / path).stat().st_ino for path in ("kubepods", "default", "default/web")}
    assert told.calls[0] == ("trace", number["kubepods"], number["kubepods"], True)
    assert told.calls[1] == ("trace", number["default"], number["default"], True)
    assert ("trace", number["default/web"], number["default/web"], False) in told.calls[2:]
    assert told.calls[-1] == ("adopt",)
    assert [path for path in seen if "kubepods" in path] == sorted(path for path in seen if "kubepods" in path)
    assert "/default/web" in seen
    assert not any("user.slice" in path for path in seen)
