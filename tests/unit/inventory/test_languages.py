"""Packages of languages, found where they lie: Python, Node, Java, Go."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.inventory.golang import build_info
from driftline.baseline.inventory.making import Made, make
from driftline.baseline.inventory.syftrun import find_syft
from unit.inventory.roots import EMPTY_SHA256, fill

SITE = "/usr/lib/python3/site-packages"
SHA = base64.urlsafe_b64encode(EMPTY_SHA256).decode().rstrip("=")
METADATA = "Metadata-Version: 2.1\nName: Flask_Login\nVersion: 0.6\n\nName: not this one\n"


def names(made: Made) -> list[tuple[str, str, str]]:
    return [(package.name, package.version, package.purl) for package in made.inventory.packages]


def test_python(tmp_path: Path) -> None:
    record = f"flask_login/__init__.py,sha256={SHA},0\n../../../bin/login,,\n../../../../../etc/x,,\nodd line\n"
    info = f"{SITE}/Flask_Login-0.6.dist-info"
    made = make(fill(tmp_path, {f"{info}/METADATA": METADATA, f"{info}/RECORD": record, "/usr/bin/login": "#!/bin/sh"}))
    assert names(made) == [("flask-login", "0.6", "pkg:pypi/flask-login@0.6")]
    found = made.inventory.recorded(f"{SITE}/flask_login/__init__.py")
    assert found is not None
    assert (found.algorithm, found.digest, found.by) == ("sha256", EMPTY_SHA256, "dist-info")
    assert made.inventory.owner("/usr/bin/login") == made.inventory.packages[0]
    assert made.unowned() == []


def test_python_of_old(tmp_path: Path) -> None:
    made = make(fill(tmp_path, {f"{SITE}/old.egg-info/PKG-INFO": METADATA, f"{SITE}/none.dist-info/x": ""}))
    assert names(made) == [("flask-login", "0.6", "pkg:pypi/flask-login@0.6")]
    assert [one.place for one in made.left_out] == [f"{SITE}/none.dist-info"]


def test_node(tmp_path: Path) -> None:
    modules = "/app/node_modules"
    files = {
        f"{modules}/express/package.json": json.dumps({"name": "express", "version": "4"}),
        f"{modules}/express/node_modules/ms/package.json": json.dumps({"name": "ms", "version": "2"}),
        f"{modules}/@s/core/package.json": json.dumps({"name": "@s/core", "version": "1"}),
        f"{modules}/express/lib/package.json": "{}",
        f"{modules}/broken/package.json": '{"name": ',
        f"{modules}/nameless/package.json": "{}",
        f"{modules}/.bin/x": "",
    }
    made = make(fill(tmp_path, files))
    assert sorted(names(made)) == [
        ("@s/core", "1", "pkg:npm/%40s/core@1"),
        ("express", "4", "pkg:npm/express@4"),
        ("ms", "2", "pkg:npm/ms@2"),
    ]
    owner = made.inventory.owner(f"{modules}/express/node_modules/ms/index.js")
    assert owner is not None
    assert owner.name == "ms"
    assert sorted(one.place for one in made.left_out) == [f"{modules}/broken", f"{modules}/nameless"]


def jar(*poms: tuple[str, str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "")
        for group, artifact, version in poms:
            text = f"#made\ngroupId={group}\nartifactId={artifact}\nversion={version}\n"
            archive.writestr(f"META-INF/maven/{group}/{artifact}/pom.properties", text)
    return data.getvalue()


def test_java(tmp_path: Path) -> None:
    core, shaded = ("org.x", "core", "1.2"), ("org.y", "inner", "3")
    made = make(fill(tmp_path, {"/app/core-1.2.jar": jar(core, shaded), "/app/bare.jar": jar()}))
    assert names(made) == [
        ("org.x:core", "1.2", "pkg:maven/org.x/core@1.2"),
        ("org.y:inner", "3", "pkg:maven/org.y/inner@3"),
    ]
    assert made.inventory.owner("/app/core-1.2.jar") == made.inventory.packages[0]
    assert made.inventory.owner("/app/bare.jar") is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK", "no end"),
        (b"PK\5\6" + b"\0" * 8 + b"\xff" * 10, "directory is over"),
        (jar(("g", "a", "1"))[:-30] + jar()[-22:], "no jar that can be read"),
        (jar(("g", "a", "1")).replace(b"groupId=g", b"groupId=h"), "CRC"),
    ],
)
def test_jars_that_are_none(tmp_path: Path, data: bytes, words: str) -> None:
    made = make(fill(tmp_path, {"/app/a.jar": data}))
    assert not made.inventory.packages
    assert [one.place for one in made.left_out] == ["/app/a.jar"]
    assert words in made.left_out[0].why


def test_go_reads_a_real_binary(tmp_path: Path) -> None:
    """Syft is a Go program, of some hundred modules."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "syft").hardlink_to(find_syft())
    made = make(tmp_path)
    owner = made.inventory.owner("/bin/syft")
    assert owner is not None
    assert (owner.name, owner.type) == ("github.com/anchore/syft", "golang")
    assert len(made.inventory.packages) > 100
    assert made.unowned() == []
    assert not made.left_out


def elf(info: bytes) -> bytes:
    """A 64-bit ELF file with the sections that are looked at."""
    names = b"\0.shstrtab\0.go.buildinfo\0"
    body = 64 + 3 * 64
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, 64, 0, 64, 56, 0, 64, 3, 1)
    table = bytes(64)
    table += struct.pack("<IIQQQQ", 1, 3, 0, 0, body, len(names)).ljust(64, b"\0")
    table += struct.pack("<IIQQQQ", 11, 1, 0, 0, body + len(names), len(info)).ljust(64, b"\0")
    return head + table + names + info


MODULES = (
    "path\texample.org/x\nmod\texample.org/x\t(devel)\t\ndep\texample.org/y\tv1\th1:x\n=>\texample.org/z\tv2\th1:y\n"
)
TEXT = b"m" * 16 + MODULES.encode() + b"m" * 16
INFO = (
    b"\xff Go buildinf:\x08\x02".ljust(32, b"\0")
    + b"\x06go1.20"
    + bytes([0x80 | len(TEXT) & 0x7F, len(TEXT) >> 7])
    + TEXT
)


def test_go_modules_and_replacements(tmp_path: Path) -> None:
    made = make(fill(tmp_path, {"/usr/bin/x": elf(INFO)}))
    assert names(made) == [
        ("example.org/x", "", "pkg:golang/example.org/x"),
        ("example.org/z", "v2", "pkg:golang/example.org/z@v2"),
    ]


def test_go_of_old_and_other_programs_are_passed_over() -> None:
    assert build_info(io.BytesIO(elf(INFO.replace(b"\x08\x02", b"\x08\x00")))) == ""
    assert build_info(io.BytesIO(elf(b"something else"))) == ""
    assert build_info(io.BytesIO(b"#!/bin/sh\n")) == ""


@given(st.data())
def test_an_elf_file_with_changed_bytes_is_read_or_refused(data: st.DataObject) -> None:
    whole = elf(INFO)
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        said = build_info(io.BytesIO(bytes(changed[:cut])))
    except (struct.error, ValueError, OverflowError):
        said = ""
    assert len(said) <= len(whole)
