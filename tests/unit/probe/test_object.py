"""Compiled programs as data."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.packing import pack
from driftline.probe.object import MapSpec, Object, ProgramSpec, call_kernel_functions, map_references, relocate

# ld_imm64 r1, map fd 7 (two slots); mov r0, 0; exit
CODE = (
    struct.pack("<BBhi", 0x18, 0x11, 0, 7)
    + bytes(8)
    + struct.pack("<BBhi", 0xB7, 0, 0, 0)
    + struct.pack("<BBhi", 0x95, 0, 0, 0)
)
PROGRAM = ProgramSpec("on_x", CODE, ((0, "counters"),))
OBJECT = Object((MapSpec("counters", 6, 4, 8, 256, 0),), (PROGRAM,))


def test_round_trip() -> None:
    assert Object.from_bytes(OBJECT.to_bytes()) == OBJECT


@given(st.binary(max_size=200))
def test_other_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Object.from_bytes(data)


@pytest.mark.parametrize("value", [[2, [], []], [1, [["a"]], []], [1, [], [["a", b""]]], {"a": 1}, 5])
def test_other_shapes_are_a_value_error(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        Object.from_bytes(pack(value))


def test_map_references_are_found_and_replaced() -> None:
    assert map_references(CODE) == [(0, 7)]
    code = relocate(PROGRAM, {"counters": 4242})
    assert map_references(code) == [(0, 4242)]
    assert code[8:] == CODE[8:]


def test_calls_of_kernel_functions_are_made_from_numbers_no_helper_has() -> None:
    call = struct.Struct("<BBhi")
    helper, placeholder, done = call.pack(0x85, 0, 0, 181), call.pack(0x85, 0, 0, 0x40000000 + 65477), 65477
    made = call_kernel_functions(CODE + helper + placeholder)
    assert made[: len(CODE) + 8] == CODE + helper, "maps and helpers stay what they are"
    assert call.unpack(made[-8:]) == (0x85, 0x20, 0, done)
