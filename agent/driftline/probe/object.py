"""Compiled BPF programs as plain data: what the compile child hands over and the cache keeps.

In: bytes from ``compiler`` or a cache file. Out: ``Object``. Why plain data: the agent creates maps and loads programs
itself, so the compiler's process can end and a warm start needs none. Next: ``loader``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from driftline.packing import pack, unpack

FORMAT = 1
OBJECT_BYTES = 16 * 1024 * 1024  # the programs take 100 kB; anything near this is not ours
LOAD_IMM64 = 0x18  # BPF_LD | BPF_IMM | BPF_DW
PSEUDO_MAP_FD = 1
CALL = 0x85  # BPF_JMP | BPF_CALL
PSEUDO_KFUNC_CALL = 2
KERNEL_FUNCTION = 0x40000000
INSTRUCTION = struct.Struct("<BBhi")


@dataclass(frozen=True, slots=True)
class MapSpec:
    """One map: ``type`` as in enum bpf_map_type; sizes in bytes."""

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """One program: its instructions and which of them load which map's address."""

    name: str
    instructions: bytes
    maps: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Object:
    """Everything the C sources became."""

    maps: tuple[MapSpec, ...]
    programs: tuple[ProgramSpec, ...]

    def to_bytes(self) -> bytes:
        """Serialise (MessagePack)."""
        maps = [[m.name, m.type, m.key_size, m.value_size, m.max_entries, m.flags] for m in self.maps]
        programs = [[p.name, p.instructions, [list(at) for at in p.maps]] for p in self.programs]
        return pack([FORMAT, maps, programs])

    @classmethod
    def from_bytes(cls, data: bytes) -> Object:
        """Reverse of ``to_bytes``. Raises ValueError when ``data`` is something else."""
        try:
            fields: Any = unpack(data, OBJECT_BYTES)
            version, maps, programs = fields
            if version != FORMAT:
                raise ValueError(f"format {version}, expected {FORMAT}")
            return cls(
                tuple(MapSpec(*spec) for spec in maps),
                tuple(ProgramSpec(name, code, tuple((i, m) for i, m in at)) for name, code, at in programs),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"not a compiled object: {error}") from error


def map_references(instructions: bytes) -> list[tuple[int, int]]:
    """(instruction index, descriptor) of every load of a map's address."""
    found = []
    for index in range(len(instructions) // INSTRUCTION.size):
        code, registers, _offset, immediate = INSTRUCTION.unpack_from(instructions, index * INSTRUCTION.size)
        if code == LOAD_IMM64 and registers >> 4 == PSEUDO_MAP_FD:
            found.append((index, immediate))
    return found


def call_kernel_functions(instructions: bytes) -> bytes:
    """Make calls of helpers that cannot exist (KERNEL_FUNCTION in bpf/include/prelude.h) calls of kernel functions."""
    code = bytearray(instructions)
    for at in range(0, len(code), INSTRUCTION.size):
        operation, registers, offset, number = INSTRUCTION.unpack_from(code, at)
        if operation == CALL and registers == 0 and number & KERNEL_FUNCTION:
            INSTRUCTION.pack_into(code, at, CALL, PSEUDO_KFUNC_CALL << 4, offset, number - KERNEL_FUNCTION)
    return bytes(code)


def relocate(program: ProgramSpec, descriptors: dict[str, int]) -> bytes:
    """The program's instructions with this process's map descriptors in them."""
    code = bytearray(program.instructions)
    for index, name in program.maps:
        struct.pack_into("<i", code, index * INSTRUCTION.size + 4, descriptors[name])
    return bytes(code)
