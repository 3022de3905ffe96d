"""Escaping: printable, reversible, nothing that acts on a terminal."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.text import escape, unescape

kernel_text = st.binary(max_size=60).map(os.fsdecode)


@given(st.one_of(kernel_text, st.text()))
def test_escaped_text_is_printable_and_comes_back(text: str) -> None:
    shown = escape(text)
    assert shown.isprintable()
    assert unescape(shown) == text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"/usr/bin/plain name", "/usr/bin/plain name"),
        (b"a\\b", r"a\\b"),
        (b"a\nb\x1b[31m", r"a\x0ab\x1b[31m"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("é漢".encode(), "é漢"),
        ("a\u202eb".encode(), r"a\u{202e}b"),
        (b"\x7f", r"\x7f"),
        ("ls\u00a0".encode(), r"ls\u{a0}"),
    ],
)
def test_what_it_looks_like(raw: bytes, shown: str) -> None:
    assert escape(os.fsdecode(raw)) == shown


@pytest.mark.parametrize("text", ["\\", "a\\q", "\\x1", "\\u{110000}", "\\u{}", "\\xZZ"])
def test_what_was_never_written_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="malformed escape"):
        unescape(text)
