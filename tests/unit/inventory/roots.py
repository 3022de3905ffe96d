"""Makes small root directories and SBOMs for the tests of the inventory."""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "data" / "sbom"
EMPTY_SHA1 = hashlib.sha1(b"").digest()
EMPTY_SHA256 = hashlib.sha256(b"").digest()
EMPTY_MD5 = hashlib.md5(b"").digest()

Q1, Q2 = (base64.b64encode(digest).decode() for digest in (EMPTY_SHA1, EMPTY_SHA256))
INSTALLED = f"""\
C:Q1Deb0jNytkrjPW4N/eKLZ43BwOlw=
P:busybox
V:1.35.0-r17
A:x86_64
L:GPL-2.0-only
o:busybox
F:bin
R:busybox
a:0:0:755
Z:Q1{Q1}
F:etc
R:securetty
Z:Q1{Q1}
F:etc/empty

P:virtual
V:1

P:web
V:2
F:usr/bin
R:web
Z:Q2{Q2}
R:unsigned
"""


def fill(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write ``files`` (path → contents) below ``root``; what lies in a ``bin`` may be executed."""
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        if path.parent.name == "bin":
            path.chmod(0o755)
    return root


def md5(content: str) -> str:
    return hashlib.md5(content.encode()).hexdigest()


CURL = "#!/bin/sh\necho curl\n"
STATUS = f"""\
Package: curl
Status: install ok installed
Architecture: amd64
Version: 7.88.1-10
Conffiles:
 /etc/curlrc {md5("old")}
 /etc/gone {md5("x")} obsolete
Description: get a file
 over the network

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def debian(root: Path, **more: str | bytes) -> Path:
    """A root with one Debian package, curl, on a merged /usr."""
    info = "/var/lib/dpkg/info/curl"
    (root / "usr" / "bin").mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    files: dict[str, str | bytes] = {
        "/var/lib/dpkg/status": STATUS,
        f"{info}.list": "/.\n/bin\n/bin/curl\n/etc\n/etc/curlrc\n",
        f"{info}.md5sums": f"{md5(CURL)}  bin/curl\n",
        f"{info}.postinst": "#!/bin/sh\n",
        "/usr/bin/curl": CURL,
        "/etc/curlrc": "new",
        "/etc/os-release": 'ID="debian"\n',
    }
    return fill(root, files | more)


def document(name: str) -> Any:
    return json.loads((DATA / name).read_text())


def rpm_database() -> bytes:
    return lzma.decompress((DATA / "rpmdb.sqlite.xz").read_bytes())
