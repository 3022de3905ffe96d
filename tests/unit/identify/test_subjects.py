"""A cgroup id finds its container: nested, named late, or already gone."""

import pytest

from driftline.identify import subjects
from driftline.identify.subjects import TOMBSTONE_NS, Subjects
from driftline.nouns import Loss, Subject


class Clock:
    """A clock the test moves."""

    now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> Subjects:
    return Subjects(clock)


def named(cgroup: int, image: str = "") -> Subject:
    return Subject(cgroup, f"/default/{cgroup}", image=image)


def test_nested_cgroups_belong_to_the_container(registry: Subjects) -> None:
    registry.appear(10, 10)
    registry.appear(11, 10)
    registry.appear(12, 11)  # nested in a nested one
    assert registry.get(12) is None
    assert registry.identify(named(10))
    assert registry.get(10) == registry.get(11) == registry.get(12) == named(10)
    assert registry.container(12) == 10


def test_a_later_answer_replaces_the_first(registry: Subjects) -> None:
    registry.appear(10, 10)
    registry.identify(named(10))
    registry.identify(named(10, "shop:1"))
    assert registry.get(10) == named(10, "shop:1")


def test_what_was_never_announced_stays_unknown(registry: Subjects) -> None:
    assert registry.container(9) is None
    assert registry.get(9) is None
    assert not registry.identify(named(9))
    registry.vanish(9)
    assert registry.bury() == []


def test_a_container_gone_before_its_name_came_is_still_attributed(registry: Subjects, clock: Clock) -> None:
    registry.appear(10, 10)
    registry.vanish(10)
    clock.now += 5_000_000_000
    assert registry.identify(named(10))
    assert registry.get(10) == named(10)
    assert registry.bury() == []
    clock.now += TOMBSTONE_NS
    assert registry.bury() == [10]
    assert registry.get(10) is None
    assert registry.container(10) is None
    assert not registry.identify(named(10))


def test_burying_a_nested_cgroup_leaves_its_container(registry: Subjects, clock: Clock) -> None:
    registry.appear(10, 10)
    registry.appear(11, 10)
    registry.identify(named(10))
    registry.vanish(11)
    clock.now += TOMBSTONE_NS
    assert registry.bury() == []
    assert registry.container(11) is None
    assert registry.get(10) == named(10)


def test_too_many_tombstones_go_early_and_are_counted(
    registry: Subjects, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subjects, "MAX_TOMBSTONES", 2)
    for cgroup in (1, 2, 3):
        registry.appear(cgroup, cgroup)
        registry.vanish(cgroup)
        clock.now += 1
    assert registry.bury() == [1]
    assert registry.losses() == [Loss("identify", "tombstone_evicted", 1)]
    assert registry.losses() == []


def test_a_full_table_refuses_and_counts(registry: Subjects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "MAX_CGROUPS", 2)
    assert registry.appear(1, 1)
    assert registry.appear(2, 1)
    assert not registry.appear(3, 3)
    assert registry.appear(2, 1)  # known already
    assert registry.losses() == [Loss("identify", "cgroups_full", 1)]
