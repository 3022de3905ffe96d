"""The rpm database, in the SQLite form rpm writes since 4.16 (Fedora 33, RHEL 9 and its kin).

In: ``rpmdb.sqlite``. Out: packages and their files in a draft. Source: rpm's ``rpmtag.h`` and ``rpmfiles.h`` for the
tags and flags. Why a copy: SQLite may have to read the write-ahead log beside it, and must not write into the image.
The older Berkeley and NDB forms are named as not read. Next: ``join``.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.fields import hex_digest
from driftline.baseline.inventory.purl import make
from driftline.baseline.inventory.release import distribution
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.rpmheader import Value, tags
from driftline.baseline.inventory.schema import MAX_PACKAGES, InventoryError, Package, Recorded

NAME = "rpm"
_DIRECTORIES = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
_OTHER_FORMS = ("Packages", "Packages.db")
MAX_DATABASE = 512 * 1024 * 1024
"""Bytes of the database: a full desktop has some 100 MiB."""
MAX_HEADER = 64 * 1024 * 1024
"""Bytes of one package's header: rpm's own limit is 256 MiB; the largest seen (texlive) has under 10."""
QUERY_SECONDS = 30.0
"""A database whose table is a view over itself would be read for ever."""

_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH = 1000, 1001, 1002, 1003, 1022
_MODES, _DIGESTS, _FLAGS, _DIR_NUMBERS, _NAMES, _DIRS, _ALGORITHM = 1030, 1035, 1037, 1116, 1117, 1118, 5011
_WANTED = frozenset(
    {_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH, _MODES, _DIGESTS, _FLAGS, _DIR_NUMBERS, _NAMES, _DIRS, _ALGORITHM}
)
_ALGORITHMS = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}  # RFC 4880, 9.4
_CONFIG, _GHOST = 1 << 0, 1 << 6  # RPMFILE_CONFIG, RPMFILE_GHOST: the package does not ship it
_S_IFMT, _S_IFREG = 0o170000, 0o100000
_KEYS = "gpg-pubkey"  # rpm keeps the keys it trusts as packages


def read_rpm(root: Root, draft: Draft) -> bool:
    """Add every installed package to ``draft``; return whether there is such a database. Raises InventoryError."""
    for directory in _DIRECTORIES:
        path = f"{directory}/rpmdb.sqlite"
        if _is_there(root, path):
            space = distribution(root, "")
            for number, blob in enumerate(_headers(root, path), 1):
                _package(root, draft, blob, f"{path}: package {number}", space)
            return True
        for name in _OTHER_FORMS:
            if _is_there(root, f"{directory}/{name}"):
                draft.leave_out(f"{directory}/{name}", "an rpm database of an older form (Berkeley DB, NDB): not read")
    return False


def _is_there(root: Root, path: str) -> bool:
    try:
        with root.open(path):
            return True
    except OSError:
        return False


def _headers(root: Root, path: str) -> Iterator[bytes]:
    """Every package's header."""
    with tempfile.TemporaryDirectory(prefix="driftline-rpm-") as directory:
        copy = Path(directory, "rpmdb.sqlite")
        for suffix in ("", "-wal"):
            _copy(root, path + suffix, copy.with_name(copy.name + suffix))
        until = time.monotonic() + QUERY_SECONDS
        try:
            database = sqlite3.connect(f"file:{quote(str(copy))}", uri=True)
            try:
                database.set_progress_handler(lambda: int(time.monotonic() > until), 10_000)
                database.execute("PRAGMA trusted_schema=OFF")
                yield from _rows(database)
            finally:
                database.close()
        except sqlite3.Error as error:
            raise InventoryError(f"{root.place(path)}: {error}", "it is no rpm database: is it whole?") from error


def _rows(database: sqlite3.Connection) -> Iterator[bytes]:
    query = "SELECT blob FROM Packages WHERE typeof(blob) = 'blob' AND length(blob) <= ? ORDER BY hnum LIMIT ?"
    for (blob,) in database.execute(query, (MAX_HEADER, MAX_PACKAGES + 1)):
        yield blob


def _copy(root: Root, path: str, target: Path) -> None:
    try:
        with root.open(path) as file, target.open("wb") as copy:
            if os.fstat(file.fileno()).st_size > MAX_DATABASE:
                raise InventoryError(f"{root.place(path)}: over {MAX_DATABASE} bytes")
            shutil.copyfileobj(file, copy, 1 << 20)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InventoryError(f"{root.place(path)} cannot be copied: {error.strerror}") from error


def _package(root: Root, draft: Draft, blob: bytes, place: str, space: str) -> None:
    try:
        header = tags(blob, _WANTED)
        files = list(_files(header))
    except ValueError as error:
        draft.leave_out(place, str(error))
        return
    name, version, release, machine = (_word(header, tag) for tag in (_NAME, _VERSION, _RELEASE, _ARCH))
    if name == _KEYS:
        return
    full, epoch = f"{version}-{release}", _word(header, _EPOCH)
    purl = make("rpm", space, name, full, arch=machine, epoch=epoch)
    shown = f"{epoch}:{full}" if epoch else full
    owner = draft.add_package(Package(name, shown, "rpm", purl, NAME), place)
    if owner is None:
        return
    algorithm = _ALGORITHMS.get(int(_word(header, _ALGORITHM) or 1), "")
    for path, digest, flags in files:
        known = hex_digest(algorithm, digest)
        recorded = Recorded(owner, known.algorithm, known.value, NAME, bool(flags & _CONFIG))
        draft.add_file(root.canonical(path), recorded, place)


def _word(header: dict[int, Value], tag: int) -> str:
    return str(header[tag][0]) if header.get(tag) else ""


def _files(header: dict[int, Value]) -> Iterator[tuple[str, str, int]]:
    """Path, digest and flags of each regular file the package ships. Raises ValueError where lists disagree."""
    names, directories, digests = (_texts(header, tag) for tag in (_NAMES, _DIRS, _DIGESTS))
    numbers, flags, modes = (_numbers(header, tag) for tag in (_DIR_NUMBERS, _FLAGS, _MODES))
    rows = zip(names, numbers, digests or [""] * len(names), flags, modes, strict=True)
    for name, number, digest, flag, mode in rows:
        if number >= len(directories):
            raise ValueError("a file in no directory")
        if not flag & _GHOST and mode & _S_IFMT == _S_IFREG:
            yield f"{directories[number]}{name}", digest, flag


def _texts(header: dict[int, Value], tag: int) -> list[str]:
    return [one for one in header.get(tag, []) if isinstance(one, str)]


def _numbers(header: dict[int, Value], tag: int) -> list[int]:
    return [one for one in header.get(tag, []) if isinstance(one, int)]
