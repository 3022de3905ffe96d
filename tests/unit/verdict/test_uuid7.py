"""Ids are UUIDs of version 7 that always grow."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from driftline.verdict.uuid7 import Uuid7


def test_layout_of_the_example_in_the_standard() -> None:
    """RFC 9562, appendix A.6: 2022-02-22 19:22:22.000 UTC is 017F22E2-79B0-7…"""
    text = Uuid7(lambda count: b"\xff" * count).make(1_645_557_742_000 * 1_000_000)
    assert text == "017f22e2-79b0-7000-bfff-ffffffffffff"


@given(st.lists(st.integers(-1, 2**64), min_size=2, max_size=20))
def test_they_grow_whatever_the_clock_does(times: list[int]) -> None:
    ids = Uuid7()
    made = [ids.make(time) for time in times]
    for text in made:
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, text)
    if max(times) < 2**60:
        assert sorted(set(made)) == made


def test_same_moment_many_ids() -> None:
    ids = Uuid7()
    made = [ids.make(1_645_557_742_000_000_000) for _ in range(10_000)]
    assert sorted(set(made)) == made
