"""Paths as the kernel side walks them."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from driftline.decode.path import join, text
from unit.decode import records

NAMES = st.lists(
    st.binary(min_size=1, max_size=255).filter(lambda name: b"\0" not in name and b"/" not in name), max_size=20
)


@given(NAMES)
def test_a_walk_becomes_the_path_byte_for_byte(names: list[bytes]) -> None:
    assert os.fsencode(join(records.walked(*names), False)) == b"/" + b"/".join(names)


def test_a_truncated_walk_says_so() -> None:
    assert join(records.walked(b"deep", b"file"), True) == "…/deep/file"


def test_the_root_is_a_slash() -> None:
    assert join(b"", False) == "/"


def test_a_text_ends_at_its_nul() -> None:
    assert text(b"memfd:x\0rest") == "memfd:x"
    assert text(b"\xff\0") == "\udcff"
