"""Package URLs: made for packages of a database, taken apart for packages of an SBOM.

In: type, namespace, name, version, qualifiers; or a purl somebody wrote. Out: the other. Why our own thirty lines: the
agent's children start often and ``packageurl`` is no dependency; the tests compare with it. Format: package-url
specification (ECMA-427), "How to build" and "How to parse". Next: the readers.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

OS_TYPES = frozenset({"deb", "apk", "rpm", "alpm"})
"""Types whose packages a distribution's own package database lists."""

_TYPE = re.compile(r"[a-zA-Z][a-zA-Z0-9.+-]*")
_PYTHON = re.compile(r"[-_.]+")
_EPOCH = re.compile(r"\d+:")


class Purl(NamedTuple):
    """The parts of a purl that tell packages apart, decoded."""

    type: str
    namespace: str
    name: str
    version: str


def make(kind: str, namespace: str, name: str, version: str, **qualifiers: str) -> str:
    """Return the canonical purl. ``namespace`` may have several parts, separated by slashes."""
    spaces = [_encoded(part) for part in namespace.split("/") if part]
    text = "/".join([f"pkg:{kind}", *spaces, _encoded(python_name(name) if kind == "pypi" else name)])
    if version:
        text += "@" + _encoded(version)
    pairs = [f"{key}={_encoded(value)}" for key, value in sorted(qualifiers.items()) if value]
    return text + ("?" + "&".join(pairs) if pairs else "")


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=":")  # a colon stays: "How to build", step by step


def parse(text: str) -> Purl | None:
    """Return the parts of ``text``, None if it is no purl."""
    scheme, _, rest = text.partition(":")
    path, _, _subpath = rest.partition("#")
    path, _, _qualifiers = path.partition("?")
    kind, _, path = path.strip("/").partition("/")
    if scheme.lower() != "pkg" or not _TYPE.fullmatch(kind):
        return None
    before, at, version = path.rpartition("@")
    if not at or "/" in version:  # an npm scope written "@scope" instead of "%40scope" is no version
        before, version = path, ""
    namespace, _, name = before.rpartition("/")
    if not name:
        return None
    return Purl(kind.lower(), _decoded(namespace), _decoded(name), _decoded(version))


def _decoded(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def full_name(purl: Purl) -> str:
    """Return the name its own tools use: ``@scope/name``, ``group:artifact``, ``host/path/module``, else the name."""
    if not purl.namespace or purl.type in OS_TYPES:
        return purl.name
    return f"{purl.namespace}:{purl.name}" if purl.type == "maven" else f"{purl.namespace}/{purl.name}"


def python_name(name: str) -> str:
    """Return the normal form of a Python project's name (PEP 503)."""
    return _PYTHON.sub("-", name).lower()


def comparable(kind: str, name: str, version: str) -> tuple[str, str]:
    """Return what two tools agree on for one package: the name in normal form, the version without its epoch."""
    plain = python_name(name) if kind == "pypi" else name.lower()
    return plain, _EPOCH.sub("", version, count=1) if kind in OS_TYPES or not kind else version.removeprefix("v")
