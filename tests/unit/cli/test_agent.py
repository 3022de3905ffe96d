"""``driftline agent``: settings are checked, then this process becomes the agent, with the settings as they were."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest

from driftline.cli import main
from driftline.settings import Settings, from_json


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the process would have become."""
    seen: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda *arguments: seen.extend(arguments))
    return seen


def test_it_becomes_the_agent(became: list[Any]) -> None:
    assert main.run(["agent", "--standalone", "--node", "n", "--learn-seconds", "7"]) == 0
    program, (*command, settings) = became
    assert (program, command) == (sys.executable, [sys.executable, "-m", "driftline.lifecycle"])
    assert from_json(json.loads(settings)) == Settings(node="n", learn_seconds=7)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--standalone", "--collector", "127.0.0.1:1"], "exclude each other"),
        ([], "no collector is named"),
        (["--collector", "nowhere"], "HOST:PORT"),
        (["--standalone", "--learn-seconds", "-1"], "learn_seconds"),
    ],
)
def test_what_makes_no_sense_is_said_before(
    became: list[Any], options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["agent", *options]) == 2
    assert words in capsys.readouterr().err
    assert became == []
