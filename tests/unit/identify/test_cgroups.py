"""Every form of cgroup path that container engines make, and which container it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.identify.cgroups import CgroupName, Role, is_watched, parse
from driftline.settings import WATCHED_ROOTS

ID = "4f0c" * 16
OTHER = "9d3e" * 16
UID = "0f1c2d3e-1111-2222-3333-444455556666"
UID_ = UID.replace("-", "_")
STATIC = "e3f1a7c2b4d5968778695a4b3c2d1e0f"  # a static pod's: hash of its manifest, without dashes
CONTAINER, NESTED, TREE, MONITOR = Role.CONTAINER, Role.NESTED, Role.TREE, Role.MONITOR

PODS = [
    # cgroupfs driver
    (f"/kubepods/burstable/pod{UID}/{ID}", CONTAINER, "", ID, UID, "burstable"),
    (f"/kubepods/besteffort/pod{UID}/{ID}", CONTAINER, "", ID, UID, "besteffort"),
    (f"/kubepods/pod{UID}/{ID}", CONTAINER, "", ID, UID, "guaranteed"),
    (f"/kubepods/burstable/pod{STATIC}/{ID}", CONTAINER, "", ID, STATIC, "burstable"),
    (f"/kubepods/burstable/pod{UID}/crio-{ID}", CONTAINER, "cri-o", ID, UID, "burstable"),
    (f"/kubepods/burstable/pod{UID}/crio-conmon-{ID}", MONITOR, "cri-o", "", UID, "burstable"),
    # systemd driver
    (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope",
        CONTAINER,
        "containerd",
        ID,
        UID,
        "burstable",
    ),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope", CONTAINER, "cri-o", ID, UID, "guaranteed"),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/docker-{ID}.scope", CONTAINER, "docker", ID, UID, "guaranteed"),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-conmon-{ID}.scope", MONITOR, "cri-o", "", UID, "guaranteed"),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope/container", NESTED, "cri-o", ID, UID, "guaranteed"),
    # a runtime left on cgroupfs under a kubelet on systemd
    (
        f"/system.slice/containerd.service/kubepods-besteffort-pod{UID_}.slice:cri-containerd:{ID}",
        CONTAINER,
        "containerd",
        ID,
        UID,
        "besteffort",
    ),
    (f"/kubepods-pod{UID_}.slice:cri-containerd:{ID}", CONTAINER, "containerd", ID, UID, "guaranteed"),
    (f"/kubepods-pod{UID_}.slice:cri-containerd:{ID}/a/b", NESTED, "containerd", ID, UID, "guaranteed"),
    # Docker in Docker: the pod's container owns it
    (f"/kubepods/burstable/pod{UID}/{ID}/docker/{OTHER}", NESTED, "", ID, UID, "burstable"),
    # a kubelet inside a container (kind): its pods are containers of their own
    (f"/docker/{OTHER}/kubelet/kubepods/burstable/pod{UID}/{ID}", CONTAINER, "", ID, UID, "burstable"),
    (
        f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope",
        CONTAINER,
        "containerd",
        ID,
        UID,
        "guaranteed",
    ),
    # branches
    ("/kubepods", TREE, "", "", "", ""),
    ("/kubepods.slice", TREE, "", "", "", ""),
    ("/kubepods/burstable", TREE, "", "", "", ""),
    ("/kubepods.slice/kubepods-besteffort.slice", TREE, "", "", "", ""),
    (f"/kubepods/pod{UID}", TREE, "", "", UID, "guaranteed"),
    (f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice", TREE, "", "", UID, "besteffort"),
]

OTHERS = [
    (f"/docker/{ID}", CONTAINER, "docker", ID),
    (f"/system.slice/docker-{ID}.scope", CONTAINER, "docker", ID),
    (f"/docker/{ID}/init.scope", NESTED, "docker", ID),
    (f"/docker/{OTHER}/docker/{ID}", NESTED, "docker", OTHER),
    ("/docker/buildkit/x5lq1yv7e0", CONTAINER, "docker", "x5lq1yv7e0"),
    ("/docker/buildkit", TREE, "", ""),
    ("/docker", TREE, "", ""),
    ("/default/web", CONTAINER, "containerd", "web"),
    (f"/default/{ID}", CONTAINER, "containerd", ID),
    ("/default/web/inner/most", NESTED, "containerd", "web"),
    (f"/k8s.io/{ID}", CONTAINER, "containerd", ID),
    (f"/moby/{ID}", CONTAINER, "docker", ID),
    (f"/system.slice/nerdctl-{ID}.scope", CONTAINER, "containerd", ID),
    (f"/system.slice:nerdctl:{ID}", CONTAINER, "containerd", ID),
    (f"/libpod_parent/libpod-{ID}", CONTAINER, "podman", ID),
    (f"/libpod_parent/libpod-{ID}/container", NESTED, "podman", ID),
    ("/libpod_parent/conmon", MONITOR, "podman", ""),
    (f"/libpod_parent/{OTHER}", TREE, "", ""),
    (f"/libpod_parent/{OTHER}/libpod-{ID}", CONTAINER, "podman", ID),
    (f"/machine.slice/libpod-{ID}.scope", CONTAINER, "podman", ID),
    (f"/machine.slice/libpod-{ID}.scope/container", NESTED, "podman", ID),
    (f"/machine.slice/libpod-conmon-{ID}.scope", MONITOR, "podman", ""),
    (f"/machine.slice/machine-libpod_pod_{OTHER}.slice", TREE, "", ""),
    (f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{ID}.scope", CONTAINER, "podman", ID),
    ("/machine.slice/machine-web.scope", CONTAINER, "", "machine-web.scope"),
    (f"/system.slice/web.service/libpod-payload-{ID}", CONTAINER, "podman", ID),
    (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope", CONTAINER, "podman", ID),
    (
        f"/user.slice/user@1000.service/user.slice/user-libpod_pod_{OTHER}.slice/libpod-{ID}.scope",
        CONTAINER,
        "podman",
        ID,
    ),
    (f"/crio/crio-{ID}", CONTAINER, "cri-o", ID),
    (f"/ecs/0a1b2c/{ID}", CONTAINER, "", ID),
    (f"/mine/{ID}", CONTAINER, "", ID),
]


@pytest.mark.parametrize(("path", "role", "engine", "container_id", "uid", "qos"), PODS)
def test_pods(path: str, role: Role, engine: str, container_id: str, uid: str, qos: str) -> None:
    found = parse(path, WATCHED_ROOTS)
    assert found is not None
    assert (found.role, found.engine, found.container_id, found.pod_uid, found.qos) == (
        role,
        engine,
        container_id,
        uid,
        qos,
    )


@pytest.mark.parametrize(("path", "role", "engine", "container_id"), OTHERS)
def test_outside_pods(path: str, role: Role, engine: str, container_id: str) -> None:
    found = parse(path, WATCHED_ROOTS)
    assert found is not None
    assert (found.role, found.engine, found.container_id) == (role, engine, container_id)
    assert (found.pod_uid, found.qos) == ("", "")


@pytest.mark.parametrize(
    "path",
    ["/", "", "/system.slice", "/system.slice/ssh.service", "/init.scope", f"/mine/{ID[:63]}", "/a/web"],
)
def test_what_is_no_container(path: str) -> None:
    assert parse(path, WATCHED_ROOTS) is None


def test_nested_gives_the_containers_own_path() -> None:
    assert parse(f"/machine.slice/libpod-{ID}.scope/container/x", WATCHED_ROOTS) == CgroupName(
        NESTED, f"/machine.slice/libpod-{ID}.scope", "podman", ID
    )


def test_an_own_root_may_be_watched() -> None:
    assert parse("/lab/one", ("lab",)) == CgroupName(CONTAINER, "/lab/one", "", "one")
    assert parse("/lab/one", ()) is None


def test_a_podman_pods_id_is_not_taken_for_a_container_elsewhere() -> None:
    assert parse(f"/docker/{ID}", ("docker",)) == CgroupName(CONTAINER, f"/docker/{ID}", "docker", ID)


@pytest.mark.parametrize(
    ("path", "watched"),
    [
        ("/default", False),  # the root itself is no container
        ("/default/web", True),
        ("/default/web/deep/er", True),
        ("/a/default/web", False),  # only top-level directories count
        (f"/a/b/{ID}", True),
        (f"/a/x-{ID}.scope/c", True),
        (f"/a/{ID}0", True),  # 64 digits in a row are enough for the kernel
        (f"/a/{ID[:63]}", False),
        (f"/a/{ID.upper()}", False),
        ("/", False),
    ],
)
def test_is_watched(path: str, watched: bool) -> None:
    assert is_watched(path, WATCHED_ROOTS) is watched


NAMES = st.text(st.characters(blacklist_characters="/\n\0"), min_size=1, max_size=20)
PARTS = st.one_of(NAMES, st.sampled_from([ID, "kubepods", f"pod{UID}", "burstable", f"libpod-{ID}.scope", "docker"]))


@given(st.lists(PARTS, max_size=6).map(lambda parts: "/" + "/".join(parts)))
def test_any_path_is_answered_and_belongs_to_a_prefix_of_itself(path: str) -> None:
    found = parse(path, WATCHED_ROOTS)
    assert found is not None or not is_watched(path, WATCHED_ROOTS)
    if found is not None:
        assert path == found.path or path.startswith(found.path + "/")
        assert bool(found.container_id) == (found.role in (CONTAINER, NESTED))
        assert (found.role is NESTED) == (found.path != path)
