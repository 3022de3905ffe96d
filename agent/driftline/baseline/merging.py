"""Two entries of one behaviour → one: whoever saw it, and in whatever order.

In: two entries. Out: a new one. Associative and commutative field by field, so that any split of a baseline over
containers, nodes and restarts merges to the same. Next: ``folding``.
"""

from __future__ import annotations

from driftline.baseline.schema import (
    CARRIED,
    IMPORTED,
    INVENTORY,
    LEARNED,
    MAX_CHECKS,
    MAX_CONTAINERS,
    MAX_EXAMPLES,
    MORE_CONTAINERS,
    REVIEWED,
    Entry,
    Standing,
)

_SOURCES = (REVIEWED, IMPORTED, INVENTORY, CARRIED, LEARNED)
"""The strongest first: what a person said outweighs what was seen."""
_STANDINGS = (Standing.REJECTED, Standing.NEEDS_REVIEW, Standing.ALLOWED, Standing.UNCONFIRMED)
"""The worst first; what one part knows to be allowed is confirmed for the other."""


def merge_entries(one: Entry, other: Entry) -> Entry:
    """Return both as one entry: counts add, containers and checks unite, the worst standing wins."""
    same = one.standing is other.standing
    return Entry(
        one.source if one.source == other.source else min(one.source, other.source, key=_SOURCES.index),
        min(one.first_ns, other.first_ns),
        max(one.last_ns, other.last_ns),
        one.count + other.count,
        _unite(one.containers, other.containers),
        one.standing if same else min(one.standing, other.standing, key=_STANDINGS.index),
        one.checks if one.checks == other.checks else tuple(sorted({*one.checks, *other.checks})[:MAX_CHECKS]),
        smallest(one.examples, other.examples),
        min(filter(None, (one.package, other.package)), default="") if one.package != other.package else one.package,
    )


def smallest(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Return the examples to keep of both: the smallest, so that the order they came in does not matter."""
    return one if one == other else tuple(sorted({*one, *other})[:MAX_EXAMPLES])


def _unite(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    if one is other or other <= one:
        return one  # the same object: thousands of entries share one set
    both = one | other
    named = sorted(both - {MORE_CONTAINERS})
    if len(named) <= MAX_CONTAINERS:
        return both
    return frozenset((*named[:MAX_CONTAINERS], MORE_CONTAINERS))
