"""A walk finds what may be executed, whatever else lies about."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driftline.baseline.inventory import walk as walk_module
from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.walk import Found, walk
from unit.inventory.roots import fill


def walked(root: Path) -> tuple[Found, Draft]:
    draft = Draft("x")
    with Root(root) as opened:
        return walk(opened, draft), draft


def test_executables_are_elf_files_and_scripts_with_the_bit(tmp_path: Path) -> None:
    fill(
        tmp_path, {"/bin/elf": b"\x7fELF\2", "/bin/script": "#!/bin/sh", "/bin/text": "hello", "/lib/x.so": b"\x7fELF"}
    )
    (tmp_path / "bin/link").symlink_to("elf")
    os.mkfifo(tmp_path / "bin/fifo", 0o777)
    found, draft = walked(tmp_path)
    assert found.executables == ["/bin/elf", "/bin/script"]
    assert found.binaries == ["/bin/elf"]
    assert not draft.left_out


def test_names_of_any_bytes_are_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"/bin/\xff\n")
    fill(tmp_path, {name: "#!/bin/sh"})
    assert walked(tmp_path)[0].executables == [name]


def test_a_link_to_a_directory_is_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, {"/usr/bin/x": "#!x"})
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "usr/up").symlink_to("..")
    assert walked(tmp_path)[0].executables == ["/usr/bin/x"]


def test_the_kernels_own_is_skipped(tmp_path: Path) -> None:
    fill(tmp_path, {"/proc/bin/x": "#!x", "/app/proc/bin/y": "#!y"})
    assert walked(tmp_path)[0].executables == ["/app/proc/bin/y"]


def test_too_many_files_end_the_walk_and_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk_module, "MAX_ENTRIES", 5)
    fill(tmp_path, {f"/{directory}/{number}": "" for directory in "abc" for number in range(5)})
    found, draft = walked(tmp_path)
    assert found.entries < 15
    assert "the rest was not looked at" in draft.left_out[0].why


def test_very_deep_directories_are_left_out_not_crashed_on(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_DIRECTORY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=handle)
        below = os.open("d" * 200, os.O_DIRECTORY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    assert "too long" in walked(tmp_path)[1].left_out[0].why
