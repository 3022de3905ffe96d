"""The cache of compiled programs: whole, ours, and about exactly this text and kernel, or not used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driftline.errors import HostError, SettingsError
from driftline.probe import build
from driftline.probe.object import MapSpec, Object

OBJECT = Object((MapSpec("m", 1, 4, 4, 1, 0),), ())


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was compiled; the compiler itself needs root's headers and is tried in tests/kernel."""
    calls: list[str] = []

    def fake(text: str, _cflags: list[str]) -> bytes:
        calls.append(text)
        return OBJECT.to_bytes()

    monkeypatch.setattr(build, "_compile", fake)
    return calls


def test_a_second_start_compiles_nothing(tmp_path: Path, compilations: list[str]) -> None:
    for _ in range(2):
        assert build.build("sys_exit", 1 << 20, tmp_path) == OBJECT
    assert len(compilations) == 1


def test_other_settings_and_providers_have_other_keys(tmp_path: Path, compilations: list[str]) -> None:
    for provider, ring in (("sys_exit", 1 << 20), ("sys_exit", 1 << 21), ("lsm", 1 << 20)):
        build.build(provider, ring, tmp_path)
    assert len(compilations) == len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "writable"])
def test_a_harmed_or_foreign_cache_is_not_used(tmp_path: Path, compilations: list[str], harm: str) -> None:
    build.build("sys_exit", 1 << 20, tmp_path)
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    if harm == "flip":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif harm == "cut":
        path.write_bytes(data[:-3])
    elif harm == "empty":
        path.write_bytes(b"")
    else:
        path.chmod(0o666)
    assert build.build("sys_exit", 1 << 20, tmp_path) == OBJECT
    assert len(compilations) == 2


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path, compilations: list[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    assert build.build("sys_exit", 1 << 20, blocked / "cache") == OBJECT
    assert os.listdir(tmp_path) == ["file"]
    assert len(compilations) == 1


@pytest.mark.parametrize("size", [0, 4095, 5000, (1 << 20) + 1, 1 << 31])
def test_a_ring_of_a_size_the_kernel_refuses_is_a_setting_to_change(compilations: list[str], size: int) -> None:
    with pytest.raises(SettingsError, match=r"ring_bytes is \d+\n  try: a power of two"):
        build.build("sys_exit", size, None)
    assert compilations == []


def test_what_does_not_compile_is_told_in_clangs_words() -> None:
    with pytest.raises(HostError, match=r"did not compile|bcc is not installed"):
        build._compile("int on_x(void *ctx) { return nonsense; }\n", [])
