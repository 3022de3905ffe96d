"""Inventories are made in the background, once per image, and whatever fails is told and counted."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from driftline.baseline.inventory import keeper as keeper_module
from driftline.baseline.inventory.apart import Request, make_apart
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.keeper import Keeper
from driftline.baseline.inventory.packed import path_of
from driftline.baseline.inventory.schema import InventoryError
from driftline.errors import DriftlineError
from driftline.nouns import Loss
from unit.inventory.keepers import wait, working
from unit.inventory.roots import debian, fill

IMAGE = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with working(tmp_path, IMAGE) as found:
        yield found


def test_it_is_made_with_the_images_own_sbom_and_then_there(keeper: Keeper, tmp_path: Path) -> None:
    root = str(debian(tmp_path / "root"))
    assert keeper.get(IMAGE) is None
    keeper.want(IMAGE, (root,))
    keeper.want(IMAGE, (root,))
    wait(lambda: keeper.get(IMAGE))
    found = keeper.get(IMAGE)
    assert found is not None
    assert found.describe("/usr/bin/curl").endswith("in the SBOM")
    assert keeper.knows(IMAGE)
    assert keeper.take_ready() == [found]
    assert keeper.take_ready() == []
    assert keeper.take_errors() == []
    assert keeper.losses() == []


def test_what_an_earlier_agent_kept_is_used_without_the_image(keeper: Keeper, tmp_path: Path) -> None:
    keeper.want(IMAGE, (str(debian(tmp_path / "root")),))
    wait(lambda: keeper.get(IMAGE))
    later = Keeper(str(tmp_path / "state"))
    later.start()
    later.want(IMAGE, ("/nowhere",))
    wait(lambda: later.get(IMAGE))
    assert later.stop()


def test_a_damaged_file_is_told_and_made_anew(keeper: Keeper, tmp_path: Path) -> None:
    fill(tmp_path, {str(path_of("/state", IMAGE)): b"noise"})
    keeper.want(IMAGE, (str(debian(tmp_path / "root")),))
    wait(lambda: keeper.get(IMAGE))
    (error,) = keeper.take_errors()
    assert "is no inventory" in str(error)


def test_an_image_that_cannot_be_read_is_told_once_and_counted(keeper: Keeper) -> None:
    keeper.want(OTHER, ("/nowhere",))
    told: list[InventoryError] = []
    wait(lambda: told.extend(keeper.take_errors()) or told)
    (error,) = told
    assert "/nowhere cannot be opened" in str(error)
    keeper.want(OTHER, ("/nowhere",))
    time.sleep(0.1)
    assert keeper.take_errors() == []
    assert keeper.losses() == [Loss("inventory", "unreadable", 1)]
    assert keeper.get(OTHER) is None


def test_without_its_sbom_an_image_still_has_what_its_databases_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Syft is asked first; where it fails, that is told, and the image read without it."""
    asked = []

    def without_syft(request: Request) -> Inventory:
        asked.append(request.syft)
        if request.syft:
            raise InventoryError("Syft is not installed")
        return make_apart(request)

    monkeypatch.setattr(keeper_module, "make_apart", without_syft)
    keeper = Keeper(str(tmp_path / "state"), syft=True)
    keeper.start()
    keeper.want(IMAGE, (str(debian(tmp_path / "root")),))
    wait(lambda: keeper.get(IMAGE))
    assert keeper.stop()
    assert asked == [True, False]
    found = keeper.get(IMAGE)
    assert found is not None
    assert (found.databases, found.sbom) == (("dpkg",), "")
    (error,) = keeper.take_errors()
    assert "Syft is not installed" in str(error)
    assert keeper.losses() == []


def test_bounds_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "MAX_WAITING", 2)
    idle = Keeper(str(tmp_path))  # not started: nobody takes them
    for number in range(5):
        idle.want(f"sha256:{number}", ("/",))
    assert idle.losses() == [Loss("inventory", "images_full", 3)]
    assert idle.losses() == []


def test_only_so_many_are_kept_in_memory(keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "MAX_KEPT", 1)
    root = str(debian(tmp_path / "root"))
    for image in (IMAGE, OTHER, IMAGE):
        keeper.want(image, (root,))
        wait(partial(keeper.get, image))
    assert keeper.get(OTHER) is None


def test_a_thread_that_died_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_path: Path) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(keeper_module, "load", broken)
    found = Keeper(str(tmp_path))
    found.start()
    found.want(IMAGE, ("/",))
    wait(lambda: not found._thread.alive)
    with pytest.raises(DriftlineError, match="bug"):
        found.take_errors()
    assert found.stop()


def has_ended(process: Path) -> bool:
    try:
        return "Z (zombie)" in (process / "status").read_text()
    except OSError:
        return True


def test_the_child_ends_with_the_agent_and_leaves_nothing(tmp_path: Path) -> None:
    """Its input stays open here: the child waits for the rest of it, as if it were at work."""
    code = """if True:
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-m", "driftline.baseline.inventory.child"], stdin=0)
        print(child.pid, flush=True)
        time.sleep(60)
    """
    reading, writing = os.pipe()
    agent = subprocess.Popen([sys.executable, "-c", code], stdin=reading, stdout=subprocess.PIPE, text=True)
    try:
        assert agent.stdout is not None
        child = int(agent.stdout.readline())
        process = Path(f"/proc/{child}")
        wait(lambda: "pipe_read" in (process / "wchan").read_text())
        agent.kill()
        agent.wait()
        wait(lambda: has_ended(process))
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)  # ours to reap only where the rig made this process adopt orphans
    finally:
        agent.kill()
        agent.communicate()
        os.close(reading)
        os.close(writing)
