"""The text is what Prometheus reads, whatever is in labels."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from driftline.wire.exposition import SECONDS, Histogram, family, histogram


def test_a_family() -> None:
    text = family("a_total", "counter", "Help\nme \\", [({"x": 'q"\n\\'}, 3), ({}, 0.5)])
    assert text == '# HELP a_total Help\\nme \\\\\n# TYPE a_total counter\na_total{x="q\\"\\n\\\\"} 3\na_total 0.5\n'
    assert family("a_total", "counter", "Help", []) == "# HELP a_total Help\n# TYPE a_total counter\n"


def test_a_histogram() -> None:
    one = Histogram()
    for seconds in (0.0005, 0.003, 99.0):
        one.observe(seconds)
    lines = histogram("h_seconds", "Help", [({"a": "b"}, one)]).splitlines()
    assert 'h_seconds_bucket{a="b",le="0.0005"} 1' in lines
    assert 'h_seconds_bucket{a="b",le="0.005"} 2' in lines
    assert 'h_seconds_bucket{a="b",le="+Inf"} 3' in lines
    assert 'h_seconds_count{a="b"} 3' in lines
    assert len(lines) == 2 + len(SECONDS) + 1 + 2


@given(st.text())
def test_no_label_breaks_out(value: str) -> None:
    (line,) = family("m", "gauge", "h", [({"l": value}, 1)]).split("\n")[2:-1]
    inner = line.removeprefix('m{l="').removesuffix('"} 1')
    assert inner.replace("\\\\", "").replace('\\"', "").count('"') == 0


@given(st.lists(st.floats(0, 100, allow_nan=False)))
def test_every_observation_is_in_one_bucket(values: list[float]) -> None:
    one = Histogram()
    for value in values:
        one.observe(value)
    assert sum(one.counts) == len(values)
