"""A keeper at work, for the tests of whoever asks it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from driftline.baseline.inventory.keeper import Keeper
from unit.inventory.roots import DATA, fill


def wait(condition: Callable[[], object]) -> None:
    """Return when ``condition`` holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def working(place: Path, image: str) -> Iterator[Keeper]:
    """A keeper with an SBOM of ``image``; it ends in order."""
    sboms = fill(place / "sboms", {f"{image.replace(':', '-')}.json": (DATA / "cyclonedx-1.5.json").read_bytes()})
    keeper = Keeper(str(place / "state"), str(sboms))
    keeper.start()
    yield keeper
    assert keeper.stop()
