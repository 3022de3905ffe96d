"""containerd and the CRI, spoken as gRPC over a real Unix socket to a server that answers from a table."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from driftline.errors import EngineError
from driftline.identify.engines import Answer, EngineAbsent
from driftline.identify.engines.containerd import Containerd
from driftline.identify.engines.cri import Cri
from driftline.identify.engines.gen import containerd_pb2 as containerd
from driftline.identify.engines.gen import cri_pb2 as cri

ID = "4f0c" * 16
MANIFEST = "sha256:" + "cd" * 32
CONFIG = "sha256:" + "ab" * 32
LABELS = {"io.kubernetes.pod.name": "web-0"}


class Table(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Answers of a containerd: namespaces, containers by (namespace, id), images by (namespace, name), CRI by id."""

    def __init__(self) -> None:
        self.containers: dict[tuple[str, str], containerd.Container] = {}
        self.images: dict[tuple[str, str], str] = {}
        self.statuses: dict[str, cri.ContainerStatus] = {}
        self.namespaces = ["default", "k8s.io", "moby"]
        self.may_answer = threading.Event()
        self.may_answer.set()

    def service(self, details: Any) -> Any:
        handlers: dict[str, tuple[Callable[[Any, Any, str], Any], Any]] = {
            "/containerd.services.namespaces.v1.Namespaces/List": (self._list, containerd.ListNamespacesRequest),
            "/containerd.services.containers.v1.Containers/Get": (self._container, containerd.GetContainerRequest),
            "/containerd.services.images.v1.Images/Get": (self._image, containerd.GetImageRequest),
            "/runtime.v1.RuntimeService/ContainerStatus": (self._status, cri.ContainerStatusRequest),
        }
        if details.method not in handlers:
            return None
        answer, request = handlers[details.method]
        namespace = str(dict(details.invocation_metadata).get("containerd-namespace", ""))

        def reply(message: Any, context: Any) -> Any:
            self.may_answer.wait(60)
            found = answer(message, context, namespace)
            if found is None:
                context.abort(grpc.StatusCode.NOT_FOUND, "not found")
            return found

        return grpc.unary_unary_rpc_method_handler(
            reply, request_deserializer=request.FromString, response_serializer=lambda found: found.SerializeToString()
        )

    def _list(self, request: Any, context: Any, namespace: str) -> Any:
        names = [containerd.Namespace(name=name) for name in self.namespaces]
        return containerd.ListNamespacesResponse(namespaces=names)

    def _container(self, request: Any, context: Any, namespace: str) -> Any:
        found = self.containers.get((namespace, request.id))
        return containerd.GetContainerResponse(container=found) if found else None

    def _image(self, request: Any, context: Any, namespace: str) -> Any:
        digest = self.images.get((namespace, request.name))
        target = containerd.Descriptor(digest=digest)
        return containerd.GetImageResponse(image=containerd.Image(name=request.name, target=target)) if digest else None

    def _status(self, request: Any, context: Any, namespace: str) -> Any:
        if not self.statuses:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "the CRI plugin is off")
        found = self.statuses.get(request.container_id)
        return cri.ContainerStatusResponse(status=found) if found else None


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def socket_path(tmp_path: Path, table: Table) -> Iterator[str]:
    path = str(tmp_path / "containerd.sock")
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=[table])
        server.add_insecure_port(f"unix:{path}")
        server.start()
        yield path
        server.stop(0).wait()


def ask(path: str, container_id: str = ID) -> Answer | None:
    engine = Containerd(path)
    try:
        return engine.look_up(container_id, 5.0)
    finally:
        engine.close()


def test_a_container_of_any_namespace_is_found(socket_path: str, table: Table) -> None:
    table.namespaces.append("lab")
    table.containers["lab", "web"] = containerd.Container(id="web", image="localhost/shop:1", labels={"a": "b"})
    table.images["lab", "localhost/shop:1"] = MANIFEST
    assert ask(socket_path, "web") == Answer("containerd", "web", "localhost/shop:1", MANIFEST, (("a", "b"),))
    assert ask(socket_path, "nobody") is None


def kubernetes(table: Table, image_ref: str) -> None:
    table.containers["k8s.io", ID] = containerd.Container(id=ID, image="localhost/shop:1", labels=LABELS)
    table.images["k8s.io", "localhost/shop:1"] = MANIFEST
    table.statuses[ID] = cri.ContainerStatus(
        id=ID,
        metadata=cri.ContainerMetadata(name="app"),
        image=cri.ImageSpec(image="localhost/shop:1"),
        image_ref=image_ref,
        labels=LABELS,
    )


def test_a_tag_that_moved_since_does_not_deceive(socket_path: str, table: Table) -> None:
    settled = "sha256:" + "11" * 32
    kubernetes(table, f"localhost/shop@{settled}")
    answer = ask(socket_path)
    assert answer is not None
    assert answer.image_digest == settled


@pytest.mark.parametrize("image_ref", [CONFIG, ""])
def test_a_config_digest_is_not_taken_for_the_manifests(socket_path: str, table: Table, image_ref: str) -> None:
    kubernetes(table, image_ref)
    answer = ask(socket_path)
    assert answer is not None
    assert answer.image_digest == MANIFEST


def test_without_the_cri_the_images_name_tells(socket_path: str, table: Table) -> None:
    kubernetes(table, "")
    table.statuses.clear()
    answer = ask(socket_path)
    assert answer is not None
    assert answer.image_digest == MANIFEST


def test_an_image_that_was_removed_leaves_the_digest_empty(socket_path: str, table: Table) -> None:
    table.containers["default", "web"] = containerd.Container(id="web", image="localhost/gone:1")
    answer = ask(socket_path, "web")
    assert answer is not None
    assert (answer.image, answer.image_digest) == ("localhost/gone:1", "")


def test_dockers_containers_are_left_to_docker(socket_path: str, table: Table) -> None:
    table.containers["moby", ID] = containerd.Container(id=ID)
    assert ask(socket_path) is None


def test_a_slow_engine_is_given_up_in_time(socket_path: str, table: Table) -> None:
    table.may_answer.clear()
    engine = Containerd(socket_path)
    with pytest.raises(EngineError, match="DEADLINE_EXCEEDED"):
        engine.look_up(ID, 0.2)
    engine.close()
    table.may_answer.set()


def test_no_socket_is_absent(tmp_path: Path) -> None:
    with pytest.raises(EngineAbsent):
        ask(str(tmp_path / "none.sock"))


@pytest.mark.parametrize(
    ("image_ref", "digest"), [(f"localhost/shop@{MANIFEST}", MANIFEST), (CONFIG, CONFIG), ("x", "")]
)
def test_any_engine_behind_the_cri(socket_path: str, table: Table, image_ref: str, digest: str) -> None:
    kubernetes(table, image_ref)
    engine = Cri(socket_path)
    found, unknown = engine.look_up(ID, 5.0), engine.look_up("77" * 32, 5.0)
    engine.close()
    assert found == Answer("cri-o", "app", "localhost/shop:1", digest, tuple(LABELS.items()))
    assert unknown is None


def test_the_connection_survives_a_restart_of_the_engine(tmp_path: Path, table: Table) -> None:
    path = str(tmp_path / "containerd.sock")
    table.containers["default", "web"] = containerd.Container(id="web")
    engine = Containerd(path)
    for _ in range(2):
        with ThreadPoolExecutor(2) as pool:
            server = grpc.server(pool, handlers=[table])
            server.add_insecure_port(f"unix:{path}")
            server.start()
            end = time.monotonic() + 30
            while (answer := _try(engine)) is None and time.monotonic() < end:
                time.sleep(0.05)
            server.stop(0).wait()
        assert answer is not None
    engine.close()


def _try(engine: Containerd) -> Answer | None:
    try:
        return engine.look_up("web", 1.0)
    except EngineError:
        return None
