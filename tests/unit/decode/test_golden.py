"""Bytes a real kernel sent decode to what they decoded to when they were recorded (tests/golden/record.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driftline.decode.record import decode
from driftline.probe.capture import read_capture
from golden.record import plain

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NAMES = ("cgroup", "connect", "dns", "exec", "load", "open", "unix_connect")


def test_every_hook_has_its_capture() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.cap")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_decodes_as_recorded(name: str) -> None:
    events = [plain(decode(record)) for record in read_capture(GOLDEN / f"{name}.cap")]
    assert len(events) > 0
    assert json.loads(json.dumps(events)) == json.loads((GOLDEN / f"{name}.json").read_text())
