"""Package URLs as the reference implementation makes and reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from driftline.baseline.inventory.purl import Purl, comparable, full_name, make, parse

words = st.text("abcXYZ019.-+~ @%/é", min_size=1, max_size=12).filter(lambda text: text.strip(" /.") == text)
without_slash = words.map(lambda name: name.replace("/", "-"))


@given(st.sampled_from(["deb", "rpm", "apk", "npm", "maven", "golang", "generic"]), words, without_slash, without_slash)
def test_what_we_make_the_reference_reads(kind: str, space: str, name: str, version: str) -> None:
    known = PackageURL.from_string(make(kind, space, name, version, arch="amd64"))
    lowered = PackageURL(kind, space, name, version)  # the reference lowers the case of some types
    assert (known.namespace, known.name, known.version) == (lowered.namespace, lowered.name, lowered.version)
    assert known.qualifiers == {"arch": "amd64"}


@given(words, without_slash, without_slash)
def test_what_the_reference_makes_we_read(space: str, name: str, version: str) -> None:
    """A slash in a version is left out: the reference does not encode it, as the specification says it must."""
    known = PackageURL("generic", space, name, version, {"a": "b"}, "sub/path")
    assert parse(known.to_string()) == Purl("generic", known.namespace or "", known.name, known.version or "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64", Purl("deb", "debian", "zlib1g", "1:1.2.13")),
        ("pkg:npm/@scope/name", Purl("npm", "@scope", "name", "")),
        ("pkg:npm/%40scope/name@1", Purl("npm", "@scope", "name", "1")),
        ("PKG://NPM/name@1#x", Purl("npm", "", "name", "1")),
        ("name", None),
        ("pkg:", None),
        ("pkg:npm/", None),
        ("pkg:/name", None),
        ("http://npm/name", None),
    ],
)
def test_purls_in_the_wild(text: str, expected: Purl | None) -> None:
    assert parse(text) == expected


@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    parse("pkg:" + text)


def test_full_names_are_those_of_the_ecosystem() -> None:
    assert full_name(Purl("maven", "org.x", "core", "1")) == "org.x:core"
    assert full_name(Purl("npm", "@s", "core", "1")) == "@s/core"
    assert full_name(Purl("golang", "example.org/a", "b", "1")) == "example.org/a/b"
    assert full_name(Purl("deb", "debian", "curl", "1")) == "curl"


def test_what_two_tools_write_differently_compares_equal() -> None:
    assert comparable("rpm", "bash", "0:5.2-1") == comparable("rpm", "bash", "5.2-1")
    assert comparable("pypi", "Typing_Extensions", "4") == comparable("pypi", "typing-extensions", "4")
    assert comparable("golang", "example.org/x", "v1.2") == comparable("golang", "example.org/x", "1.2")
    assert comparable("deb", "curl", "1") != comparable("deb", "curl", "2")
