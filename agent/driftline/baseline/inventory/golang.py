"""Go programs: the build information the Go linker puts into every binary.

In: the ELF binaries a walk found. Out: the main module, which owns the file, and the modules built into it. Source:
``debug/buildinfo`` of Go 1.18 and later: section ``.go.buildinfo`` begins with a magic of 14 bytes; flag 2 says that
two strings with their lengths follow at byte 32; the second holds lines ``mod`` and ``dep`` between two marks of 16
bytes. Earlier binaries keep pointers instead and are left out. ELF: the System V ABI, chapter 4. Next: ``join``.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.purl import make
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import Package, Recorded

NAME = "go-build-info"
MAX_INFO = 1024 * 1024
"""Bytes of build information read: Kubernetes' own binaries have 30 KiB."""
MAX_SECTIONS = 2_000
"""Sections of a binary looked at; a Go program has some 30."""
MAX_ENTRY = 1_024
"""Bytes of one entry of the section table; every ELF file has 40 or 64."""
MAX_NAMES = 256 * 1024
"""Bytes of section names read."""
_MAGIC = b"\xff Go buildinf:"
_INLINE = 2
_STRINGS = 32  # where the strings begin
_MARK = 16
_HEADER = {1: "HHIIIIIHHHHHH", 2: "HHIQQQIHHHHHH"}  # after e_ident, by class: 32 and 64 bits
_SECTION = {1: "IIIIII", 2: "IIQQQQ"}
_ORDER = {1: "<", 2: ">"}


def read_go(root: Root, draft: Draft, binaries: list[str]) -> None:
    """Add the modules of every Go program among ``binaries`` to ``draft``; other binaries are passed over."""
    for path in binaries:
        try:
            with root.open(path) as file:
                info = build_info(file)
        except (OSError, OverflowError, struct.error, ValueError) as error:
            draft.leave_out(path, f"no ELF file that can be read: {error}")
            continue
        if info:
            _modules(draft, info, path)


def build_info(file: BinaryIO) -> str:
    """Return the lines of a Go binary's build information, "" if it is none of Go 1.18 or later.

    Raises struct.error, ValueError, OverflowError or OSError for a malformed ELF file.
    """
    start = _find_section(file)
    if start is None:
        return ""
    file.seek(start)
    data = file.read(MAX_INFO)
    if not data.startswith(_MAGIC) or len(data) < _STRINGS or not data[15] & _INLINE:
        return ""
    _version, position = _string(data, _STRINGS)
    modules, _position = _string(data, position)
    return modules[_MARK:-_MARK].decode("utf-8", "replace")


def _find_section(file: BinaryIO) -> int | None:
    """Where in the file section ``.go.buildinfo`` begins, None if there is none."""
    ident = file.read(16)
    if len(ident) < 16 or ident[:4] != b"\x7fELF" or ident[4] not in _HEADER or ident[5] not in _ORDER:
        return None
    order, size = _ORDER[ident[5]], ident[4]
    header = struct.Struct(order + _HEADER[size])
    fields = header.unpack(file.read(header.size))
    table, entry_size, count, names_number = fields[5], fields[10], fields[11], fields[12]
    layout = struct.Struct(order + _SECTION[size])
    if not table or count > MAX_SECTIONS or not layout.size <= entry_size <= MAX_ENTRY or names_number >= count:
        return None
    file.seek(table)
    data = file.read(entry_size * count)
    sections = [layout.unpack_from(data, number * entry_size) for number in range(count)]
    file.seek(sections[names_number][4])
    names = file.read(min(sections[names_number][5], MAX_NAMES))
    for section in sections:
        if names[section[0] :].startswith(b".go.buildinfo\0"):
            return int(section[4])
    return None


def _string(data: bytes, position: int) -> tuple[bytes, int]:
    """A string behind its length (unsigned LEB128), and where it ends."""
    length = shift = 0
    while True:
        if position >= len(data) or shift > 35:
            raise ValueError("build information without an end")
        byte = data[position]
        length |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            break
    if position + length > len(data):
        raise ValueError("build information without an end")
    return data[position : position + length], position + length


def _modules(draft: Draft, info: str, path: str) -> None:
    found: list[tuple[str, str, bool]] = []
    for line in info.split("\n"):
        kind, _, rest = line.partition("\t")
        module, version = [*rest.split("\t"), ""][:2]
        if kind in ("mod", "dep"):
            found.append((module, version, kind == "mod"))
        elif kind == "=>" and found:
            found[-1] = (module, version, found[-1][2])  # the line before was replaced by this one
    for module, version, is_main in found:
        version = "" if version == "(devel)" else version
        space, _, name = module.rpartition("/")
        package = Package(module, version, "golang", make("golang", space, name, version), NAME, location=path)
        owner = draft.add_package(package, path)
        if owner is not None and is_main:
            draft.add_file(path, Recorded(owner, "", b"", NAME, False), path)
