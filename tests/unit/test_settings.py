"""Settings: every one explained, and the same after its way through JSON into the agent's process."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from driftline.cli.options import descriptions
from driftline.settings import Settings, from_json


def test_every_setting_says_what_it_is() -> None:
    texts = descriptions()
    assert {one.name for one in fields(Settings)} == set(texts)
    assert all(len(text) > 20 and text.endswith(".") for text in texts.values())


def test_the_way_through_json() -> None:
    settings = Settings(node="n", watched_roots=("a", "b"), learn_seconds=0.5, open_provider="sys_exit")
    assert from_json(json.loads(json.dumps(asdict(settings)))) == settings


def test_the_node_is_named_by_default() -> None:
    assert Settings().node != ""
