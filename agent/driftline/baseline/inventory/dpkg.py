"""Debian's package database, also the form distroless images carry it in.

In: ``/var/lib/dpkg/status`` (or ``status.d/NAME``), ``info/NAME.{list,md5sums}``, ``diversions``. Out: packages and
their files in a draft. Source: dpkg(1), deb-md5sums(5), dpkg-divert(1), deb-control(5). dpkg records MD5 only: enough
to see that a file is another, since nobody can make a second file for a digest that was fixed before. Next: ``join``.
"""

from __future__ import annotations

from collections.abc import Iterator

from driftline.baseline.inventory.draft import Draft, normal
from driftline.baseline.inventory.purl import make
from driftline.baseline.inventory.release import distribution
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import MAX_FILES, MAX_PACKAGES, Package, Recorded

NAME = "dpkg"
_DATABASE = "/var/lib/dpkg"
MAX_STATUS = 128 * 1024 * 1024
"""Bytes of the status file: 50 000 packages of 2 KiB."""
MAX_LIST = 16 * 1024 * 1024
"""Bytes of one package's list: some 200 000 files."""
_SCRIPTS = frozenset({"preinst", "postinst", "prerm", "postrm", "config"})

Stanza = dict[str, str]
Diversions = dict[str, tuple[str, str]]  # path → where it is now, and whose file may stay


def read_dpkg(root: Root, draft: Draft) -> bool:
    """Add every installed package to ``draft``; return whether there is such a database. Raises InventoryError."""
    found = False
    space = distribution(root, "debian")
    diversions = _diversions(root)
    own: dict[str, int] = {}
    for stanza, place, directory in _stanzas(root):
        found = True
        if stanza.get("Status", "installed").rpartition(" ")[2] == "installed":
            owner = _package(root, draft, stanza, place, directory, space, diversions)
            if owner is not None:
                own[stanza["Package"]] = owner
    _scripts(root, draft, own)
    return found


def _scripts(root: Root, draft: Draft, own: dict[str, int]) -> None:
    """Each package's maintainer scripts are its own, though no list names them."""
    directory = f"{_DATABASE}/info"
    for file in root.names(directory, MAX_FILES):
        stem, _, kind = file.rpartition(".")
        name = stem.partition(":")[0]
        if kind in _SCRIPTS and name in own:
            draft.add_file(root.canonical(f"{directory}/{file}"), Recorded(own[name], "", b"", NAME, False), directory)


def _stanzas(root: Root) -> Iterator[tuple[Stanza, str, str]]:
    """Every package's fields, their place, and the directory its lists are in."""
    data = root.read(f"{_DATABASE}/status", MAX_STATUS)
    if data is not None:
        for stanza, line in paragraphs(data):
            yield stanza, f"{_DATABASE}/status:{line}", f"{_DATABASE}/info"
    directory = f"{_DATABASE}/status.d"
    for name in root.names(directory, 2 * MAX_PACKAGES):
        if name.endswith((".md5sums", ".list")):
            continue
        data = root.read(f"{directory}/{name}", MAX_LIST) or b""
        for stanza, line in paragraphs(data):
            yield stanza, f"{directory}/{name}:{line}", directory


def paragraphs(data: bytes) -> Iterator[tuple[Stanza, int]]:
    """Yield each paragraph's fields and the line it starts in; continued lines are joined with newlines."""
    fields: Stanza = {}
    name, start = "", 1
    for number, raw in enumerate(data.split(b"\n"), 1):
        line = raw.decode("utf-8", "surrogateescape").rstrip("\r")
        if not line:
            if fields:
                yield fields, start
            fields, name, start = {}, "", number + 1
        elif line[0] in " \t":
            if name == "Conffiles":  # the only field of several lines that is wanted
                fields[name] += "\n" + line
        else:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    if fields:
        yield fields, start


def _package(
    root: Root, draft: Draft, stanza: Stanza, place: str, directory: str, space: str, diversions: Diversions
) -> int | None:
    name, version, machine = (stanza.get(field, "") for field in ("Package", "Version", "Architecture"))
    if "/" in name:
        draft.leave_out(place, "its name has a slash")
        return None
    owner = draft.add_package(
        Package(name, version, "deb", make("deb", space, name, version, arch=machine), NAME), place
    )
    if owner is None:
        return None
    config = _config_files(stanza)
    sums = dict(_sums(root, draft, directory, name, machine)) | config
    listed = _listed(root, directory, name, machine)
    for path in _files_only(listed | sums.keys()):
        moved, stays = diversions.get(path, (path, name))
        where = path if stays == name else moved
        digest = sums.get(path, b"")
        recorded = Recorded(owner, "md5" if digest else "", digest, NAME, path in config)
        draft.add_file(root.canonical(where), recorded, f"{place} {where}")
    return owner


def _info(root: Root, directory: str, name: str, machine: str, kind: str) -> bytes:
    """A package's ``.list`` or ``.md5sums``; of packages for several architectures it carries theirs."""
    for stem in (name, f"{name}:{machine}"):
        data = root.read(f"{directory}/{stem}.{kind}", MAX_LIST)
        if data is not None:
            return data
    return b""


def _sums(root: Root, draft: Draft, directory: str, name: str, machine: str) -> Iterator[tuple[str, bytes]]:
    lines = _info(root, directory, name, machine, "md5sums").split(b"\n")
    for number, line in enumerate(lines, 1):
        digest, _, path = line.decode("utf-8", "surrogateescape").partition(" ")
        usual = normal(path.strip(" *"))
        try:
            if usual:
                yield usual, bytes.fromhex(digest)
        except ValueError:
            draft.leave_out(f"{directory}/{name}.md5sums:{number}", "no digest and path")


def _listed(root: Root, directory: str, name: str, machine: str) -> set[str]:
    lines = _info(root, directory, name, machine, "list").decode("utf-8", "surrogateescape").split("\n")
    return {usual for line in lines[:MAX_FILES] if (usual := normal(line))}


def _files_only(paths: set[str]) -> list[str]:
    """``paths`` without those that others lie in: a list names directories too, and does not say so."""
    parents = {path.rpartition("/")[0] for path in paths}
    return [path for path in sorted(paths) if path not in parents]


def _config_files(stanza: Stanza) -> dict[str, bytes]:
    """``Conffiles``: lines of path and MD5, perhaps ``obsolete``."""
    found = {}
    for line in stanza.get("Conffiles", "").split("\n"):
        path, _, rest = line.strip().partition(" ")
        usual = normal(path)
        if usual and not rest.endswith("obsolete"):
            try:
                found[usual] = bytes.fromhex(rest.split(" ")[0])
            except ValueError:
                found[usual] = b""  # "newconffile": not there yet
    return found


def _diversions(root: Root) -> Diversions:
    """Three lines each: the path, where it is moved to, the package whose own file stays (``:`` for the admin)."""
    data = root.read(f"{_DATABASE}/diversions", MAX_LIST) or b""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    groups = zip(lines[0::3], lines[1::3], lines[2::3], strict=False)
    return {path: (moved, stays) for path, moved, stays in groups if path and moved}
