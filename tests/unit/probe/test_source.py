"""The C sources as one text."""

from __future__ import annotations

import re

import pytest

from driftline.probe.source import ALWAYS, INCLUDES, PROVIDERS, bpf_directory, join


@pytest.mark.parametrize("provider", PROVIDERS)
def test_errors_will_name_the_right_file_and_line(provider: str) -> None:
    text = join(provider)
    for name in re.findall(r'#line 1 "(.+)"', text):
        part = text.split(f'#line 1 "{name}"\n', 1)[1].split("\n#line 1 ", 1)[0]
        assert part.rstrip("\n") == (bpf_directory() / name).read_text().rstrip("\n")


def test_every_source_is_in_some_text() -> None:
    directory = bpf_directory()
    used = {*ALWAYS, *(name for names in PROVIDERS.values() for name in names)}
    assert {path.name.removesuffix(".bpf.c") for path in directory.glob("*.bpf.c")} == used
    assert {path.name for path in (directory / "include").glob("*.h")} == set(INCLUDES)
