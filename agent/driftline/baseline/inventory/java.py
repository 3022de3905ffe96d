"""Java packages: the ``pom.properties`` Maven puts into the jars it builds.

In: the jars a walk found. Out: a package per ``pom.properties``; the jar itself belongs to the one it is named after.
Why so careful: a jar is a zip, and a zip's directory may claim anything. Source: Maven Archiver, "pom.properties";
APPNOTE.TXT 4.3.16 (end of central directory). Next: ``join``.
"""

from __future__ import annotations

import os
import posixpath
import struct
import zipfile
import zlib
from typing import BinaryIO

from driftline.baseline.inventory.draft import Draft
from driftline.baseline.inventory.purl import make
from driftline.baseline.inventory.root import Root
from driftline.baseline.inventory.schema import Package, Recorded

NAME = "jar"
MAX_DIRECTORY = 16 * 1024 * 1024
"""Bytes of a jar's directory: some 150 000 classes. Python keeps 500 bytes for each."""
MAX_PROPERTIES = 64 * 1024
"""Bytes of one pom.properties; real ones have under 200."""
MAX_POMS = 2_000
"""Packages looked for in one jar: a large application shaded into one has some 300."""
_POM = "/pom.properties"
_END = struct.Struct("<4s4H2LH")  # signature, disk numbers, entries, size and place of the directory, comment
_END_MARK = b"PK\5\6"


def read_java(root: Root, draft: Draft, jars: list[str]) -> None:
    """Add the packages in each of ``jars`` to ``draft``; a jar that cannot be read is left out."""
    for jar in jars:
        try:
            with root.open(jar) as file:
                _jar(draft, file, jar)
        except (
            OSError,
            ValueError,
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            EOFError,
            zlib.error,
        ) as error:
            draft.leave_out(jar, f"no jar that can be read: {error}")


def _jar(draft: Draft, file: BinaryIO, jar: str) -> None:
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        poms = [one for one in archive.infolist() if _is_pom(one.filename)]
        if len(poms) > MAX_POMS:
            raise ValueError(f"over {MAX_POMS} packages in it")
        for one in poms:
            with archive.open(one) as content:
                _pom(draft, content.read(MAX_PROPERTIES), jar, alone=len(poms) == 1)


def _check_directory(file: BinaryIO) -> None:
    """Raise ValueError unless the directory is small enough to be kept in memory."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - _END.size - 65_535))
    tail = file.read()
    place = tail.rfind(_END_MARK)
    if place < 0 or len(tail) - place < _END.size:
        raise ValueError("it has no end")
    length = _END.unpack_from(tail, place)[5]
    if length > MAX_DIRECTORY:  # also a Zip64 directory, whose length stands elsewhere: 0xFFFFFFFF
        raise ValueError(f"its directory is over {MAX_DIRECTORY} bytes")


def _is_pom(name: str) -> bool:
    return name.startswith("META-INF/maven/") and name.endswith(_POM)


def _pom(draft: Draft, data: bytes, jar: str, alone: bool) -> None:
    values = {}
    for line in data.decode("latin-1").splitlines():  # properties files are Latin-1
        name, _, value = line.partition("=")
        values[name.strip()] = value.strip()
    group, artifact, version = (values.get(name, "") for name in ("groupId", "artifactId", "version"))
    package = Package(
        f"{group}:{artifact}" if group and artifact else "",
        *(version, "maven", make("maven", group, artifact, version), NAME),
        location=jar,
    )
    owner = draft.add_package(package, jar)
    if owner is not None and (alone or posixpath.basename(jar).startswith((f"{artifact}-{version}.", f"{artifact}."))):
        draft.add_file(jar, Recorded(owner, "", b"", NAME, False), jar)
