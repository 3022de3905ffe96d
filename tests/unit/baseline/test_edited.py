"""apply_edit: what a person changed in the text, on top of what the baseline is by now."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from driftline.baseline.decisions import DecisionError, with_excuse, with_standing
from driftline.baseline.edited import FIXED, apply_edit
from driftline.baseline.format.yamltext import from_yaml, to_yaml
from driftline.baseline.schema import IMPORTED, LEARNED, REVIEWED, Baseline, Entry, Excuse, Standing
from driftline.nouns import LoadBehaviour, OpenBehaviour
from unit.baseline.documents import baselines, full, small

A = OpenBehaviour("/a", "read")
LOADED = LoadBehaviour("/lib/x.so")
NEW = OpenBehaviour("/srv/new/*", "write")
EXCUSE = Excuse("NL-08", "builds", "ann", 0)


def edited(baseline: Baseline) -> Baseline:
    return deepcopy(baseline)


def entry(standing: Standing = Standing.ALLOWED, source: str = IMPORTED) -> Entry:
    return Entry(source, 5, 9, 1, frozenset({"c1"}), standing)


@given(baselines)
def test_text_that_nobody_changed_changes_nothing(baseline: Baseline) -> None:
    assert apply_edit(baseline, deepcopy(baseline), baseline) == baseline


def test_what_was_added_is_a_persons_whatever_the_text_says() -> None:
    text = edited(small())
    text.entries[NEW] = entry()
    assert apply_edit(small(), text, small()).entries[NEW].source == REVIEWED


def test_a_changed_standing_keeps_the_evidence() -> None:
    text = edited(small())
    text.entries[A] = replace(text.entries[A], standing=Standing.REJECTED, count=0, source=IMPORTED)
    before = small().entries[A]
    assert apply_edit(small(), text, small()).entries[A] == replace(before, standing=Standing.REJECTED)


def test_what_was_taken_out_is_rejected_so_that_it_is_not_learned_again() -> None:
    text = edited(small())
    del text.entries[LOADED]
    assert apply_edit(small(), text, small()).entries[LOADED].standing is Standing.REJECTED


def test_what_a_pattern_covers_now_is_dropped() -> None:
    base = small()
    base.entries |= {OpenBehaviour(f"/srv/data/{name}", "read"): entry() for name in "abc"}
    text = edited(small())
    text.entries[OpenBehaviour("/srv/data/*", "read")] = entry()
    result = apply_edit(base, text, base)
    assert set(result.entries) == set(text.entries)


def test_a_rejected_one_taken_out_is_forgotten() -> None:
    base = with_standing(small(), [A], Standing.REJECTED)
    text = edited(base)
    del text.entries[A]
    assert A not in apply_edit(base, text, base).entries


def test_what_the_agent_learned_meanwhile_is_kept() -> None:
    text, current = edited(small()), edited(small())
    text.entries[NEW] = entry()
    current.entries[OpenBehaviour("/learned", "read")] = entry(source=LEARNED)
    current.entries[A].count = 77
    result = apply_edit(small(), text, current)
    assert {NEW, OpenBehaviour("/learned", "read")} <= result.entries.keys()
    assert result.entries[A].count == 77


def test_what_both_changed_is_refused_by_name() -> None:
    text, current = edited(small()), with_standing(small(), [A], Standing.NEEDS_REVIEW)
    del text.entries[A]
    with pytest.raises(DecisionError, match="read /a was changed meanwhile: it is needs-review now"):
        apply_edit(small(), text, current)
    with pytest.raises(DecisionError, match="excused checks were changed meanwhile"):
        apply_edit(small(), replace(small(), excuses=(replace(EXCUSE, reason="x"),)), with_excuse(small(), EXCUSE))


def test_excuses_can_be_edited() -> None:
    assert apply_edit(small(), replace(small(), excuses=(EXCUSE,)), small()).excuses == (EXCUSE,)
    assert apply_edit(small(), small(), with_excuse(small(), EXCUSE)).excuses == (EXCUSE,)


@pytest.mark.parametrize("name", FIXED)
def test_what_tells_of_the_past_cannot_be_edited(name: str) -> None:
    value = getattr(full(), name)
    other: Any = 99 if isinstance(value, int) else (*value, "x") if isinstance(value, tuple) else "retired"
    with pytest.raises(DecisionError, match=f"{name} cannot be changed"):
        apply_edit(full(), replace(full(), **{name: other}), full())


def test_through_the_text_itself() -> None:
    text = to_yaml(full())
    lines = [line for line in text.splitlines() if '"/a"' not in line]
    result = apply_edit(full(), from_yaml("\n".join(lines)), full())
    assert {each for each, one in result.entries.items() if one.standing is Standing.REJECTED} >= {
        A,
        OpenBehaviour("/a", "write"),
    }
