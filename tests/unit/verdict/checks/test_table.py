"""The table of checks is whole, and docs/checks.md says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.verdict.checks.table import CHECKS, hit
from driftline.verdict.kinds import RULES, TECHNIQUES

DOC = (Path(__file__).parents[4] / "docs" / "checks.md").read_text()


def test_there_are_22_and_one_for_what_tainted_programs_do() -> None:
    assert list(CHECKS) == [f"NL-{number:02}" for number in range(23)]


@pytest.mark.parametrize("number", CHECKS)
def test_each_is_documented_as_it_is(number: str) -> None:
    check = CHECKS[number]
    (row,) = [line for line in DOC.splitlines() if line.startswith(f"| {number} |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    severity = check.severity.value + (r" \*" if check.own else "")
    technique = f"{check.technique} {TECHNIQUES[check.technique]}"
    wanted = [check.title, f"`{check.kind}`", severity, technique, check.events, "yes" if check.taints else "no"]
    assert cells[1:] == wanted
    assert f"\n### {number}: {check.title}\n" in DOC


@pytest.mark.parametrize("number", CHECKS)
def test_a_hit_tells_what_the_table_says_unless_it_knows_better(number: str) -> None:
    check, found = CHECKS[number], hit(number)
    assert (found.kind, found.severity, found.technique) == (check.kind, check.severity, check.technique)
    assert found.reason in RULES[found.kind].sentence.format(what="A", where="B", why=found.reason)
