"""The table of kinds is complete, and docs/deviations.md says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.nouns import Kind
from driftline.verdict.kinds import RULES, TECHNIQUES

DOC = Path(__file__).parents[3] / "docs" / "deviations.md"


def test_every_kind_has_its_rule() -> None:
    assert list(RULES) == list(Kind)
    for rule in RULES.values():
        assert rule.technique in TECHNIQUES or rule.technique == ""
        assert rule.sentence.format(what="A", where="B", why="C").count("A") == 1


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_documented_as_it_is(kind: Kind) -> None:
    rule = RULES[kind]
    rows = [line for line in DOC.read_text().splitlines() if line.startswith(f"| `{kind}` |")]
    assert len(rows) == 1
    cells = [cell.strip() for cell in rows[0].strip("|").split("|")]
    technique = f"{rule.technique} {TECHNIQUES[rule.technique]}" if rule.technique else "–"
    assert cells[1:5] == [rule.severity.value, technique, rule.while_learning, "yes" if rule.learnable else "no"]
    assert f"\n### `{kind}`\n" in DOC.read_text()


def test_every_technique_is_documented() -> None:
    text = DOC.read_text()
    for technique, name in TECHNIQUES.items():
        assert f"{technique} {name}" in text
