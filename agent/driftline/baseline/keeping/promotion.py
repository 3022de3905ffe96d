"""Promotion without a person: only by an explicit policy.

In: a candidate and the policy of the settings. Out: why it is promoted, or nothing. Pure. Why so strict: an active
baseline says that somebody looked. Next: ``upkeep`` asks, ``store`` makes the revision, with "policy" as its author.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.baseline.schema import Baseline, Standing, State

POLICY = "policy"
"""Author of what a policy decided."""
DAY_NS = 24 * 3600 * 1_000_000_000


class Policy(NamedTuple):
    """When a candidate is promoted. ``after_days`` 0: never."""

    after_days: float = 0
    min_containers: int = 1


def reason_to_promote(baseline: Baseline, policy: Policy, wall_ns: int) -> str:
    """Return why ``baseline`` is promoted at ``wall_ns`` (Unix ns), "" if it is not.

    It must be complete, wait for no review, have been learned from enough containers, and not have changed for
    ``after_days``: its last revision or decision starts the time anew.
    """
    if not policy.after_days or baseline.state is not State.CANDIDATE or baseline.reasons:
        return ""
    if any(entry.standing is Standing.NEEDS_REVIEW for entry in baseline.entries.values()):
        return ""
    containers = len(baseline.containers)
    changed_ns = baseline.reviews[-1].wall_ns if baseline.reviews else wall_ns
    if containers < policy.min_containers or wall_ns - changed_ns < policy.after_days * DAY_NS:
        return ""
    return f"complete, nothing to review, unchanged for {policy.after_days:g} days, {containers} containers"
