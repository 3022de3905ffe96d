"""The C header and the Python layouts are one contract.

A C program compiled from the headers fills every field with a number of its own and prints the bytes; the Python layout
must find each number where it expects it, and cover every byte that is not padding.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
from functools import cache
from pathlib import Path

import pytest

from driftline.decode.header import ORIGINS
from driftline.decode.record import DECODERS, decode
from driftline.errors import RecordError
from driftline.nouns import Access, RecordFlag
from driftline.probe import counters, environment, layout

INCLUDE = Path(__file__).resolve().parents[2] / "bpf" / "include"
RECORD_H = (INCLUDE / "record.h").read_text()
LOSS_H = (INCLUDE / "loss.h").read_text()

# C structure → (Python layout, offset of the layout within the structure, its fields; "name[n]" is one of an array)
LAYOUTS: dict[str, tuple[struct.Struct, str, str]] = {
    "record_header": (
        layout.HEADER,
        "",
        "abi kind hook flags kernel_ns cgroup subject exec_id start_ns pid tid ppid uid gid euid epoch pad comm",
    ),
    "file_part": (layout.FILE, "", "key value size device links mode path_bytes origin access"),
    "exec_record": (
        layout.EXEC,
        "key",
        "key by_exec_id capabilities environment cwd_bytes argv_bytes invoked_bytes interpreter_bytes "
        "inet_stdio unix_stdio tty",
    ),
    "connect_record": (
        layout.CONNECT,
        "key",
        "key.subject key.epoch key.port key.family key.protocol key.address result path_bytes abstract",
    ),
    "cgroup_record": (layout.CGROUP, "parent", "parent path_bytes"),
    "dns_record": (layout.DNS, "server", "server whole dns_bytes family"),
    "traced_cgroup": (layout.TRACED_CGROUP, "", "subject epoch tree"),
    "subject": (
        layout.SUBJECT,
        "",
        "root_superblock init_start init_pid mount_ns next_ns[0] next_ns[1] next_ns[2] "
        "held_back[0] held_back[1] held_back[2]",
    ),
    "process": (layout.PROCESS, "", "start exec_id dentry number name_hash subject flags pad"),
    "config": (
        layout.CONFIG,
        "",
        "interval_ns[0] interval_ns[1] interval_ns[2] burst_ns[0] burst_ns[1] burst_ns[2] chain_always wall_ns",
    ),
    "variable": (environment.VARIABLE, "", "rest mask bit"),
}
SIZES = {
    "open_record": layout.OPEN_BYTES,
    "exec_record": layout.EXEC_BYTES,
    "connect_record": layout.CONNECT_BYTES,
    "cgroup_record": layout.CGROUP_BYTES,
    "dns_record": layout.DNS_BYTES,
    "file_key": layout.FILE_KEY_BYTES,
    "file_value": layout.FILE_VALUE_BYTES,
    "exec_key": layout.EXEC_KEY_BYTES,
    "exec_value": layout.EXEC_VALUE_BYTES,
    "connect_key": layout.CONNECT_KEY_BYTES,
    "root_name": layout.ROOT_NAME_BYTES,
}

PRELUDE = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64;
#define BPF_TABLE(...) struct unused
#define BPF_RINGBUF_OUTPUT(...) struct unused
#include "record.h"
#include "loss.h"
#include "maps.h"
static void print(const char *name, const void *at, size_t size)
{
    printf("\\"%s\\": \\"", name);
    for (size_t n = 0; n < size; n++)
        printf("%02x", ((const unsigned char *)at)[n]);
    printf("\\",\\n");
}
"""


def c_program() -> str:
    lines = [PRELUDE, 'int main(void) { puts("{");']
    for name, (_layout, _start, fields) in LAYOUTS.items():
        lines.append(f"{{ struct {name} it; memset(&it, 0, sizeof(it));")
        lines += [
            f"memset(&it.{field}, {number + 1}, sizeof(it.{field}));" for number, field in enumerate(fields.split())
        ]
        lines.append(f'print("{name}", &it, sizeof(it)); }}')
    for name in SIZES:
        lines.append(f'printf("\\"{name} size\\": %zu,\\n", sizeof(struct {name}));')
    for name, (_layout, start, _fields) in LAYOUTS.items():
        offset = f"offsetof(struct {name}, {start})" if start else "(size_t)0"
        lines.append(f'printf("\\"{name} start\\": %zu,\\n", {offset});')
    lines.append('puts("\\"end\\": 0}"); return 0; }')
    return "\n".join(lines)


@cache
def compiled(directory: Path) -> dict[str, object]:
    source, program = directory / "layout.c", directory / "layout"
    source.write_text(c_program())
    command = ["cc", "-std=gnu11", "-Wall", "-Werror", f"-I{INCLUDE}", "-o", str(program), str(source)]
    subprocess.run(command, check=True)
    found: dict[str, object] = json.loads(subprocess.run([program], capture_output=True, check=True).stdout)
    return found


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return compiled(tmp_path_factory.mktemp("abi"))


def as_bytes(value: int | bytes) -> set[int]:
    """The bytes a field was filled with: one value, if the layout cuts at the right places."""
    return set(value if isinstance(value, bytes) else value.to_bytes((value.bit_length() + 7) // 8, "little"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_field_is_where_python_looks(c: dict[str, object], name: str) -> None:
    python, _start, fields = LAYOUTS[name]
    data, start = bytes.fromhex(str(c[name])), int(str(c[f"{name} start"]))
    assert len(data) == start + python.size
    values = python.unpack_from(data, start)
    assert [as_bytes(value) for value in values] == [{number + 1} for number in range(len(fields.split()))]
    covered = sum(byte != 0 for byte in data[start:])
    packed = sum(byte != 0 for byte in python.pack(*values))
    assert covered == packed, "every byte that is not padding is read"


@pytest.mark.parametrize("name", SIZES)
def test_sizes(c: dict[str, object], name: str) -> None:
    assert c[f"{name} size"] == SIZES[name]


def enum(name: str, text: str) -> dict[str, int]:
    """Members of a C enum, the common prefix taken off."""
    body = re.search(rf"enum {name} \{{(.*?)\}};", text, re.S)
    assert body is not None
    members = re.findall(r"^\s*([A-Z]+)_(\w+) = ([\d <]+),", body[1], re.M)
    return {member: (1 << int(value.split("<<")[1])) if "<<" in value else int(value) for _, member, value in members}


def test_flags() -> None:
    assert enum("record_flag", RECORD_H) == {flag.name: flag.value for flag in RecordFlag}


def test_access() -> None:
    assert enum("file_access", RECORD_H) == {access.name: access.value for access in Access}


def test_origins() -> None:
    assert enum("file_origin", RECORD_H) == {origin.name: number for number, origin in enumerate(ORIGINS)}


def test_kinds() -> None:
    assert sorted(enum("record_kind", RECORD_H).values()) == sorted(DECODERS)


def test_hooks_and_counters() -> None:
    hooks = enum("hook", LOSS_H)
    assert {name.lower(): number for name, number in hooks.items() if name != "COUNT"} == {
        name: number for number, name in counters.HOOKS.items()
    }
    assert {name.lower(): number for name, number in enum("counter", LOSS_H).items()} == {
        name: number for number, name in counters.NAMES.items()
    }
    size = re.search(r"\bCOUNTERS = (\d+)", LOSS_H)
    assert size is not None
    assert int(size[1]) == counters.COUNTERS > max(counters.NAMES)


def test_a_number_below_the_first_loss_is_none() -> None:
    losses = set(re.findall(r"LOSS_(\w+) =", LOSS_H))
    assert losses == {name.upper() for number, name in counters.NAMES.items() if number >= counters.FIRST_LOSS}


def test_the_abi_number() -> None:
    number = re.search(r"#define RECORD_ABI (\d+)", RECORD_H)
    assert number is not None
    assert int(number[1]) == layout.ABI


def test_a_record_of_another_abi_is_refused() -> None:
    for abi in (layout.ABI - 1, layout.ABI + 1):
        record = struct.pack("<H", abi) + bytes(layout.OPEN_BYTES)
        with pytest.raises(RecordError, match=f"ABI {abi}, this version reads {layout.ABI}"):
            decode(record)
