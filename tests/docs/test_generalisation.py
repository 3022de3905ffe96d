"""Classes, numbers and directories in docs/generalisation.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from driftline.baseline.patterns import foldpaths, foldpeers, paths, pattern, tokens

PAGE = " ".join((Path(__file__).resolve().parents[2] / "docs/generalisation.md").read_text().split())


def test_every_class_is_explained() -> None:
    assert set(re.findall(r"\| `\{(\w+)\}` \|", PAGE)) == set(pattern.CLASSES)
    made = {name for _kept, classes in tokens._CLASSES.values() for name in re.findall(r"\{(\w+)\}", classes)}
    assert made | {"tmp"} == set(pattern.CLASSES)


@pytest.mark.parametrize(
    "sentence",
    [
        f"{foldpaths.MIN_SIBLINGS} files with one ending",
        f"{foldpaths.MIN_SIBLINGS} directories |",
        f"{foldpeers.MIN_PORTS} ports from 32768 to 60999",
        f"{foldpeers.MIN_ADDRESSES} private addresses of one /24",
        f"{foldpeers.MIN_NAMES} names of one zone",
    ],
)
def test_numbers(sentence: str) -> None:
    assert sentence in PAGE


def test_directories_of_data() -> None:
    where = PAGE[PAGE.index("**Where paths fold**") : PAGE.index("**What never folds**")]
    for place in (*foldpaths._ROOTS, *foldpaths._ELSEWHERE, *foldpaths._CALLED_SO):
        assert f"`{place.rstrip('/')}`" in where


def test_endings_named_are_those_that_matter() -> None:
    said = PAGE[PAGE.index("**a name that matters by itself**") : PAGE.index("Three exceptions")]
    endings = re.findall(r"`(\.\w+)`", said)
    assert len(endings) > 5
    assert all(paths.is_telling(f"/data/x{ending}") for ending in endings)


def test_examples_are_what_the_code_makes() -> None:
    for path, expected in (
        ("/data/job-1a2b3c4d.log", "job-{hex}.log"),
        ("/data/report-1234.csv", "report-{num}.csv"),
        ("/data/tmpab12cd34", "tmp{tmp}"),
        ("/data/temp-21.rdb", "temp-{num}.rdb"),
    ):
        assert f"`{expected}`" in PAGE
        assert tokens.canonical(path) == f"/data/{expected}"
