"""Moments as people write them."""

from __future__ import annotations

import pytest

from driftline.cli.moments import expiry
from driftline.errors import SettingsError

NOW = 1_795_447_845_000_000_000  # 2026-11-23T15:30:45Z
NS = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("never", 0),
        ("30d", NOW + 30 * 86_400 * NS),
        ("90m", NOW + 5_400 * NS),
        ("12h", NOW + 43_200 * NS),
        ("2w", NOW + 14 * 86_400 * NS),
        ("2026-11-23", 1_795_478_400 * NS),
        ("2027-01-31", 1_801_440_000 * NS),
    ],
)
def test_understood(text: str, expected: int) -> None:
    assert expiry(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    ["", "0d", "-1d", "1y", "d", "999999999w", "2026-11-22", "2026-13-01", "9999-01-01", "soon", "３d", "1d\x1b"],
)
def test_refused(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        expiry(text, NOW)
    assert str(caught.value.args[0]).isprintable()
