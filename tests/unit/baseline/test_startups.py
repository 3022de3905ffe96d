"""Start-ups: complete when all was seen until the container was quiet, or ended."""

from __future__ import annotations

from driftline.baseline.startups import Startups

QUIET = 60


def begun(*cgroups: int) -> Startups:
    startups = Startups()
    for cgroup in cgroups:
        startups.begin(cgroup)
    return startups


def test_it_is_complete_after_the_quiet_time() -> None:
    startups = begun(1)
    assert [startups.advance(30, QUIET), startups.advance(29, QUIET), startups.advance(1, QUIET)] == [0, 0, 1]
    assert not startups.under_way


def test_something_new_starts_the_quiet_time_again() -> None:
    startups = begun(1, 2)
    startups.advance(59, QUIET)
    startups.novel(1)
    assert startups.advance(1, QUIET) == 1
    assert startups.advance(58, QUIET) == 0
    assert startups.advance(1, QUIET) == 1


def test_the_end_of_a_container_completes_it() -> None:
    startups = begun(1)
    assert startups.end(1)
    assert not startups.end(1)
    assert not startups.end(2)


def test_a_loss_spoils_its_own_or_nobody_knows_whose() -> None:
    startups = begun(1, 2, 3)
    startups.spoil(1)
    assert startups.advance(QUIET, QUIET) == 2
    startups = begun(1, 2, 3)
    startups.spoil()
    assert not startups.under_way
    assert startups.advance(QUIET, QUIET) == 0
