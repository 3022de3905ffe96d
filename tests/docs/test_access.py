"""Numbers and counters in docs/access.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from driftline.cli import certs, tokens
from driftline.wire import uplink
from driftline.wire.roles import Role
from driftline_collector import access, access_limits

PAGE = " ".join((Path(__file__).resolve().parents[2] / "docs/access.md").read_text().split())


@pytest.mark.parametrize(
    "sentence",
    [
        f"at most {access.REFUSALS_BURST} at once per address",
        f"one in {{{1 / access.REFUSALS_PER_SECOND:.0f}}} seconds after that",
        f"{access.STREAMS_BURST} at once, then one per second",
        f"(`--days`, {certs.DAYS} unless told otherwise)",
        f"They end after {tokens.DAYS} days",
        f"more than {access_limits.PEERS:_} came".replace("_", " "),
        f"an agent every {{{uplink.RENEWAL_SECONDS:.0f}}} seconds",
    ],
)
def test_numbers(sentence: str) -> None:
    assert re.sub(r"\{5\}", "five", sentence) in PAGE
    assert access.STREAMS_PER_SECOND == 1


def test_every_role_is_explained() -> None:
    assert all(f"| `{role}` |" in PAGE for role in Role)
