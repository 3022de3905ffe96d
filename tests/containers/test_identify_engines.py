"""Containers of a real containerd are found from their cgroups and named by its interface."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.identify import hierarchy
from driftline.identify.engines.containerd import Containerd
from driftline.identify.resolver import Resolver
from driftline.nouns import Subject
from driftline.settings import WATCHED_ROOTS
from rig import containerd, images, rootfs, session

pytestmark = pytest.mark.containers
POD = {
    "io.kubernetes.pod.name": "web-7d4b9c6f5b-x2v5z",
    "io.kubernetes.pod.namespace": "shop",
    "io.kubernetes.container.name": "app",
}
OTHER = f"{session.TOKEN}-lab"
ROOTS = (*WATCHED_ROOTS, session.NAMESPACE)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> images.Image:
    layers = list(reversed(rootfs.default_layers()))
    options = images.ImageOptions(entrypoint=["/work/idle"])
    return images.build("localhost/identify:1", layers, options, tmp_path_factory.mktemp("image") / "i.tar")


@pytest.fixture(scope="module")
def daemon(image: images.Image) -> Iterator[containerd.Containerd]:
    with containerd.running() as running:
        for namespace in (session.NAMESPACE, OTHER):
            running.pull(image, namespace)
        yield running


def name_all(daemon: containerd.Containerd, tasks: list[containerd.Task], expected: int) -> dict[int, Subject]:
    """Ask for the subjects of ``tasks`` as the agent does, from what the hierarchy lists."""
    woken = threading.Event()
    resolver = Resolver([Containerd(str(daemon.socket))], 30.0, ROOTS, woken.set)
    resolver.start()
    ids = {task.cgroup_id for task in tasks}
    for cgroup in hierarchy.find().watched(ROOTS):
        if cgroup.cgroup in ids:
            resolver.request(cgroup.cgroup, cgroup.path, 0, attached_late=True)
    found: dict[int, Subject] = {}
    end = time.monotonic() + 60
    while len(found) < expected and time.monotonic() < end:
        woken.wait(1)
        woken.clear()
        found |= {subject.cgroup: subject for subject in resolver.take()}
    assert resolver.stop()
    assert resolver.engine_failures == (0, "")
    return found


def test_containers_of_any_namespace_and_cgroup_are_named(daemon: containerd.Containerd, image: images.Image) -> None:
    identifier = f"{session.TOKEN}-web"
    hexadecimal = (session.TOKEN.encode().hex() + "4f0c" * 16)[:64]
    scope = f"/{session.TOKEN}.slice/cri-containerd-{hexadecimal}.scope"
    plain = daemon.run(image.name, identifier)
    pod = daemon.run(image.name, hexadecimal, containerd.RunOptions(namespace=OTHER, labels=POD, cgroup=scope))
    found = name_all(daemon, [plain, pod], 2)
    assert found[plain.cgroup_id] == Subject(
        plain.cgroup_id,
        f"/{session.NAMESPACE}/{identifier}",
        engine="containerd",
        container_id=identifier,
        name=identifier,
        image=image.name,
        image_digest=image.digest,
        labels=found[plain.cgroup_id].labels,
        attached_late=True,
    )
    named = found[pod.cgroup_id]
    assert (named.cgroup_path, named.container_id, named.engine) == (scope, hexadecimal, "containerd")
    assert (named.image_digest, named.baseline_key) == (image.digest, image.digest)
    assert (named.namespace, named.pod, named.name) == ("shop", POD["io.kubernetes.pod.name"], "app")
    assert named.workload == "web"


def test_the_path_of_a_cgroup_id(daemon: containerd.Containerd, image: images.Image) -> None:
    tree = hierarchy.find()
    assert tree.whole
    task = daemon.run(image.name, f"{session.TOKEN}-path")
    cgroup = task.cgroup_id
    assert tree.path_of(cgroup) == task.cgroup
    assert tree.path_of(1) == "/"
    daemon.remove(task.id)
    end = time.monotonic() + 30
    while Path(tree.directory(task.cgroup)).exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert tree.path_of(cgroup) is None
