"""Inventories by container: which image is read, from which directories, and whose SBOM is another image's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from driftline import inventories as module
from driftline.baseline.inventory.keeper import Keeper
from driftline.inventories import Inventories, may_read_layers
from driftline.nouns import RecordFlag
from unit.baseline.making import SUBJECT, executed
from unit.inventory.keepers import wait, working
from unit.inventory.roots import debian, fill

IMAGE = "sha256:" + "a" * 64
WEB = replace(SUBJECT, image_digest=IMAGE)
IS_INIT = int(RecordFlag.IS_INIT)
FIRST = executed(by="", flags=IS_INIT)


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with working(tmp_path, IMAGE) as found:
        yield found


def mounted(monkeypatch: pytest.MonkeyPatch, *layers: Path) -> list[int]:
    """Let every process have ``layers`` below its root; return the processes asked for."""
    asked: list[int] = []
    lower = ":".join(map(str, layers))

    def mountinfo_of(pid: int) -> list[str]:
        asked.append(pid)
        return [f"520 480 0:70 / / rw - overlay overlay rw,lowerdir={lower},upperdir=/s/9/fs,workdir=/s/9/work"]

    monkeypatch.setattr(module, "mountinfo_of", mountinfo_of)
    return asked


def test_the_first_exec_of_a_container_has_its_image_read_once(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = mounted(monkeypatch, debian(tmp_path / "root"))
    found = Inventories(keeper)
    assert found.of(WEB) is None
    for _ in range(3):
        found.of_exec(FIRST, WEB)
    wait(lambda: found.of(WEB))
    inventory = found.of_exec(FIRST, WEB)
    assert inventory is not None
    assert inventory.owner("/usr/bin/curl") is not None
    assert asked == [FIRST.process.pid]


def test_what_the_init_runs_later_and_other_processes_do_not_count(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then the container may have mounted something else over its root."""
    asked = mounted(monkeypatch, debian(tmp_path / "root"))
    found = Inventories(keeper)
    found.of_exec(executed(by="/entrypoint.sh", flags=IS_INIT), WEB)
    found.of_exec(executed(by=""), WEB)
    found.of_exec(FIRST, replace(WEB, image_digest=""))
    assert asked == []


def test_a_container_whose_layers_cannot_be_found_is_counted_and_the_next_one_asked(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Inventories(keeper)
    found.of_exec(executed(by="", flags=IS_INIT, pid=2**22 + 1), WEB)  # no such process
    mounted(monkeypatch, tmp_path / "nowhere")
    found.of_exec(FIRST, WEB)
    monkeypatch.setattr(module, "mountinfo_of", lambda _pid: ["520 480 8:1 / / rw - ext4 /dev/sda1 rw"])
    found.of_exec(FIRST, WEB)
    assert found.unplaced == 3
    assert found.losses() == []
    mounted(monkeypatch, debian(tmp_path / "root"))
    found.of_exec(FIRST, WEB)
    wait(lambda: found.of(WEB))


def test_an_sbom_of_another_image_is_told_once_with_the_container_that_showed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = '{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [%s]}'
    names = ",".join(
        f'{{"type": "library", "name": "p{n}", "version": "1", "purl": "pkg:deb/debian/p{n}@1"}}' for n in range(9)
    )
    sboms = fill(tmp_path / "sboms", {f"{IMAGE.replace(':', '-')}.json": foreign % names})
    keeper = Keeper(str(tmp_path / "state"), str(sboms))
    keeper.start()
    mounted(monkeypatch, debian(tmp_path / "root"))
    found = Inventories(keeper)
    found.of_exec(FIRST, WEB)
    wait(lambda: found.of(WEB))
    ((subject, inventory),) = found.take_mismatches()
    assert subject == WEB
    assert inventory.mismatches
    assert found.take_mismatches() == []
    assert keeper.stop()


def test_nothing_is_known_where_nobody_reads_images() -> None:
    found = Inventories()
    assert found.of_exec(FIRST, WEB) is None
    assert (found.take_mismatches(), found.losses(), found.unplaced) == ([], [], 0)


def test_only_so_many_images_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MET", 2)
    mounted(monkeypatch, debian(tmp_path / "root"))
    found = Inventories(Keeper(str(tmp_path)))  # not started: nobody takes them
    for number in range(5):
        found.of_exec(FIRST, replace(WEB, image_digest=f"sha256:{number}"))
    assert list(found._met) == ["sha256:3", "sha256:4"]


def test_layers_need_the_capability_to_mount() -> None:
    bits = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    assert may_read_layers() == (int(bits.split()[1], 16) >> 21 & 1 == 1)
