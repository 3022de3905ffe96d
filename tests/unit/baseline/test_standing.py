"""Standing: what another sighting makes of it; the order of sightings of one kind never matters."""

from __future__ import annotations

from itertools import permutations

import pytest

from driftline.baseline.schema import MAX_CHECKS, Standing
from driftline.baseline.standing import TAINTED, after, fresh

ALLOWED, UNCONFIRMED, REVIEW, REJECTED = (
    Standing.ALLOWED,
    Standing.UNCONFIRMED,
    Standing.NEEDS_REVIEW,
    Standing.REJECTED,
)
CLEAN: tuple[str, ...] = ()


def test_a_first_sighting_is_allowed_unless_it_failed_a_check() -> None:
    assert fresh(CLEAN) == (ALLOWED, ())
    assert fresh(("NL-07", "NL-02")) == (REVIEW, ("NL-02", "NL-07"))


@pytest.mark.parametrize(
    ("before", "failed", "expected"),
    [
        ((ALLOWED, ()), CLEAN, (ALLOWED, ())),
        ((ALLOWED, ()), ("NL-05",), (REVIEW, ("NL-05",))),
        ((ALLOWED, ()), (TAINTED,), (ALLOWED, ())),
        ((ALLOWED, ("NL-05",)), ("NL-05",), (ALLOWED, ("NL-05",))),  # approved, knowing it
        ((ALLOWED, ("NL-05",)), ("NL-09",), (REVIEW, ("NL-05", "NL-09"))),
        ((UNCONFIRMED, ()), CLEAN, (ALLOWED, ())),
        ((UNCONFIRMED, ()), (TAINTED,), (UNCONFIRMED, ())),
        ((UNCONFIRMED, ()), ("NL-05",), (REVIEW, ("NL-05",))),
        ((REVIEW, (TAINTED,)), CLEAN, (ALLOWED, ())),
        ((REVIEW, ("NL-05",)), CLEAN, (REVIEW, ("NL-05",))),
        ((REVIEW, (TAINTED,)), ("NL-05",), (REVIEW, (TAINTED, "NL-05"))),
        ((REJECTED, ()), CLEAN, (REJECTED, ())),
        ((REJECTED, ("NL-05",)), ("NL-09",), (REJECTED, ("NL-05",))),
    ],
)
def test_while_an_image_is_learned_for_the_first_time(
    before: tuple[Standing, tuple[str, ...]], failed: tuple[str, ...], expected: tuple[Standing, tuple[str, ...]]
) -> None:
    assert after(*before, failed, prior=False) == expected


def test_what_is_allowed_stays_so_once_the_baseline_judges() -> None:
    assert after(ALLOWED, (), ("NL-05",), prior=True) == (ALLOWED, ())


def test_the_order_of_sightings_does_not_matter() -> None:
    sightings: tuple[tuple[str, ...], ...] = (CLEAN, (TAINTED,), ("NL-05",))
    found = set()
    for first, *rest in permutations(sightings):
        state = fresh(first)
        for failed in rest:
            state = after(*state, failed, prior=False)
        found.add((state[0], tuple(one for one in state[1] if one != TAINTED)))
    assert found == {(REVIEW, ("NL-05",))}


def test_checks_are_bounded() -> None:
    many = tuple(f"NL-{number:02}" for number in range(20))
    assert len(after(REVIEW, (), many, prior=False)[1]) == MAX_CHECKS
