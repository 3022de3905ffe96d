"""The attacks leave no kind of deviation out that a container can show."""

from __future__ import annotations

from benchmarks.attacks import attacks

from driftline.nouns import Kind

NOT_SHOWN = {"coverage.gap", "image.sbom_mismatch", "baseline.refused", "agent.silent", "agent.degraded"}
"""Told about the agent, an image or a file, not about what a container does."""


def test_every_kind_has_an_attack() -> None:
    assert {one.kind for one in attacks("/srv/data")} == {str(kind) for kind in Kind} - NOT_SHOWN


def test_each_is_told_apart_from_the_others() -> None:
    found = [(one.kind, one.what) for one in attacks("/srv/data")]
    assert len(set(found)) == len(found)
