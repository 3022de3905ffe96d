"""Containers come, nest, and go; a process belongs to the container whose cgroup it is in."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager

from driftline.identify import hierarchy
from driftline.nouns import CgroupChange, Origin, RecordFlag
from kernel.watching import ROOT, Box, Watch, next_name
from rig import cgroups
from rig.bundle import DEFAULT_CAPABILITIES, ContainerOptions
from rig.runc import RuncContainer

Sensors = Callable[..., AbstractContextManager[Watch]]


def test_a_container_appears_before_it_runs_and_goes(watch: Watch) -> None:
    with watch.box() as box:
        cgroup, subject = box.container.cgroup, box.subject
    made, gone = watch.take(subject).cgroups()
    assert (made.change, made.path, made.cgroup) == (CgroupChange.CREATED, cgroup, subject)
    assert (gone.change, gone.path, gone.cgroup) == (CgroupChange.REMOVED, cgroup, subject)


def test_a_nested_cgroup_belongs_to_its_container(watch: Watch) -> None:
    options = ContainerOptions(
        volumes={"/cgroup": cgroups.cgroup2_root()}, capabilities=(*DEFAULT_CAPABILITIES, "CAP_SYS_ADMIN")
    )
    with watch.box(options) as box:
        inner = box.container.cgroup_directory / "inner" / "most"
        inner.mkdir(parents=True)
        procs = f"/cgroup{box.container.cgroup}/inner/most/cgroup.procs"
        seen = box.see(["/work/mover", procs, "/data/one", "7"])
        assert len(seen.opens("/data/one")) == 14
        assert {event.cgroup for event in seen.opens()} == {box.subject}
        assert not any(event.flags & RecordFlag.NO_LINEAGE for event in seen.opens())
        inside = inner.stat().st_ino
        cgroups.rmdir(inner)
        gone = [event for event in watch.take(box.subject).cgroups() if event.change is CgroupChange.REMOVED]
        assert [(event.cgroup, event.subject) for event in gone] == [(inside, box.subject)]


def test_a_process_that_moves_to_another_container_is_that_ones(watch: Watch) -> None:
    options = ContainerOptions(
        volumes={"/cgroup": cgroups.cgroup2_root()}, capabilities=(*DEFAULT_CAPABILITIES, "CAP_SYS_ADMIN")
    )
    with watch.box(options) as left, watch.box() as right:
        seen = left.see(["/work/mover", f"/cgroup{right.container.cgroup}/cgroup.procs", "/data/one", "7"])
        assert len(seen.opens("/data/one")) == 7
        others = watch.take(right.subject).opens("/data/one")
    assert len(others) == 7
    assert all(event.flags & RecordFlag.ENTERED for event in others), "it does not descend from this container's init"


def test_levels_between_root_and_container_are_no_containers(watch: Watch) -> None:
    levels = f"/{ROOT}/burstable/pod{secrets.token_hex(18)}"
    with RuncContainer(cgroup=f"{levels}/{next_name()}") as one:
        one.run(["/bin/true"])
        assert len(watch.take(one.cgroup_id).execs()) == 2
        pod = one.cgroup_directory.parent.stat().st_ino
    assert [event.subject for event in watch.take(pod).cgroups()] == [pod, pod]


def test_an_id_of_64_digits_is_a_container_wherever_it_is(watch: Watch) -> None:
    with RuncContainer(cgroup=f"/{ROOT}-elsewhere/docker-{secrets.token_hex(32)}.scope") as one:
        one.run(["/bin/true"])
        assert len(watch.take(one.cgroup_id).execs()) == 2
    with RuncContainer(cgroup=f"/{ROOT}-elsewhere/{secrets.token_hex(31)}") as other:
        other.run(["/bin/true"])
        assert watch.take(other.cgroup_id).events == []


def test_containers_that_ran_before_the_sensor(box: Box, sensors: Sensors) -> None:
    with sensors() as late:
        other = Box(late, box.container)
        seen = other.see(["/bin/sh", "-c", "cat /data/one"])
        assert len(seen.execs()) == 2
        assert len(seen.opens("/data/one")) == 1
        with RuncContainer(cgroup=f"/{ROOT}/{next_name()}") as fresh:
            fresh.run(["/bin/true"])
            assert len(late.take(fresh.cgroup_id).execs()) == 2, "made under a root that was there before"


def test_processes_that_ran_before_the_sensor_have_their_descent(watch: Watch, sensors: Sensors) -> None:
    script = "while ! [ -e /tmp/go ]; do sleep 0.05; done; /work/nothing"
    with watch.box(ContainerOptions(init=["/bin/sh", "-c", script])) as box, sensors() as late:
        late.sensor.adopt()
        known = late.sensor.process(box.container.pid)
        late.take(box.subject)
        (box.container.rootfs / "tmp" / "go").touch()
        box.container.wait()
        (event,) = late.take(box.subject).execs("/work/nothing")
    assert known is not None
    assert event.by_exec_id == known.exec_id
    assert not event.flags & (RecordFlag.NO_LINEAGE | RecordFlag.ENTERED)
    assert event.file.origin is Origin.IMAGE


def test_without_adoption_descent_is_unknown_and_said_to_be(watch: Watch, sensors: Sensors) -> None:
    """Never taken for an exec into the container, and never cached."""
    script = "while ! [ -e /tmp/go ]; do sleep 0.05; done; /work/nothing; :"
    with watch.box(ContainerOptions(init=["/bin/sh", "-c", script])) as box, sensors() as late:
        (box.container.rootfs / "tmp" / "go").touch()
        box.container.wait()
        (event,) = late.take(box.subject).execs("/work/nothing")
    assert event.flags & RecordFlag.NO_LINEAGE
    assert not event.flags & (RecordFlag.ENTERED | RecordFlag.IS_INIT)
    assert event.cache_key == b""


def test_the_hierarchy_is_where_the_kernel_says() -> None:
    assert hierarchy.find().root == str(cgroups.cgroup2_root())
