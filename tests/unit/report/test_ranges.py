"""Intervals say of every number what a set of numbers would say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.report.ranges import Ranges

_pairs = st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(_pairs, max_size=12))
def test_they_are_a_set_of_numbers(pairs: list[tuple[int, int]]) -> None:
    ranges = Ranges(pairs)
    numbers = {number for first, last in pairs for number in range(first, last + 1)}
    assert {number for number in range(80) if number in ranges} == numbers
    assert ranges.last == max(numbers, default=-1)
    assert [number for first, last in ranges.pairs for number in range(first, last + 1)] == sorted(numbers)
    assert all(later[0] > earlier[1] + 1 for earlier, later in zip(ranges.pairs, ranges.pairs[1:], strict=False))


@given(st.lists(_pairs, max_size=12), st.integers(0, 70))
def test_the_gap_ends_where_numbers_begin_again(pairs: list[tuple[int, int]], number: int) -> None:
    ranges = Ranges(pairs)
    begin, end = ranges.gap(number)
    assert begin == next(n for n in range(number, 200) if n not in ranges)
    assert end == next((n for n in range(begin, 200) if n in ranges), None)


@given(st.lists(_pairs, max_size=12), _pairs)
def test_covers_means_every_one(pairs: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    ranges = Ranges(pairs)
    assert ranges.covers(*asked) == all(n in ranges for n in range(asked[0], asked[1] + 1))


def test_backwards_is_no_interval() -> None:
    with pytest.raises(ValueError, match="5 to 4"):
        Ranges().add(5, 4)
