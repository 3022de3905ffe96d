"""Dangerous variables, as the kernel side compares them."""

from __future__ import annotations

import struct

from driftline.probe import environment


def matches(text: bytes) -> int:
    """What bpf/exec.bpf.c does with one variable: the head by hash, the rest by mask."""
    raw = text.ljust(24, b"\0")
    value = environment.variables().get(raw[:8])
    if value is None:
        return 0
    rest0, rest1, mask0, mask1, bit, _pad = struct.unpack("<4QII", value)
    one, two = struct.unpack("<2Q", raw[8:24])
    return int(bit) if one & mask0 == rest0 and two & mask1 == rest1 else 0


def test_each_name_is_found_and_nothing_longer_or_shorter() -> None:
    for bit, name in enumerate(environment.NAMES):
        assert matches(f"{name}=/some/value".encode()) == 1 << bit
        assert matches(f"{name}=".encode()) == 1 << bit
        assert matches(f"{name}X=1".encode()) == 0
        assert matches(f"{name[:-1]}=1".encode()) == 0
        assert matches(f"X{name}=1".encode()) == 0


def test_heads_are_distinct_and_names_fit() -> None:
    assert len(environment.variables()) == len(environment.NAMES) <= 32
    assert max(len(name) + 1 for name in environment.NAMES) <= environment.HEAD_BYTES + environment.REST_BYTES


def test_names_of_bits() -> None:
    assert environment.names(0) == ()
    assert environment.names(0b101) == (environment.NAMES[0], environment.NAMES[2])
