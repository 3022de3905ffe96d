"""What another sighting makes of a behaviour's standing.

In: how it stands, which checks it failed before and now. Out: how it stands from now on. Pure. Why a sighting is not
merged like two baselines (``folding.merge``, where the worse wins): here it is known that one sighting failed and
another did not, and what only a suspect program did (``TAINTED``) is cleared by an honest one.
"""

from __future__ import annotations

from driftline.baseline.schema import MAX_CHECKS, Standing

TAINTED = "NL-00"
"""Check of what a program did that failed another check."""

Stand = tuple[Standing, tuple[str, ...]]


def fresh(failed: tuple[str, ...]) -> Stand:
    """Return how a behaviour never seen before stands."""
    return (Standing.NEEDS_REVIEW, bounded(failed)) if failed else (Standing.ALLOWED, ())


def after(standing: Standing, had: tuple[str, ...], failed: tuple[str, ...], prior: bool) -> Stand:
    """Return how a behaviour stands after a sighting that ``failed`` checks (none: a clean one).

    ``prior``: the baseline already judges; then what is allowed stays so, whoever allowed it. An allowed behaviour that
    carries checks was approved by a person who knew them.
    """
    if standing is Standing.REJECTED:
        return standing, had
    if not failed:
        if standing is Standing.UNCONFIRMED or (standing is Standing.NEEDS_REVIEW and set(had) == {TAINTED}):
            return Standing.ALLOWED, ()
        return standing, had
    if standing is Standing.ALLOWED and (prior or set(failed) <= {TAINTED, *had}):
        return standing, had
    if standing is Standing.UNCONFIRMED and set(failed) == {TAINTED}:
        return standing, had
    return Standing.NEEDS_REVIEW, bounded((*had, *failed))


def bounded(checks: tuple[str, ...]) -> tuple[str, ...]:
    """Return checks as an entry holds them."""
    return tuple(sorted(set(checks))[:MAX_CHECKS])
