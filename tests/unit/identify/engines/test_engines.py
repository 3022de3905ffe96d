"""What all engines share: bounded labels, and which engines an agent asks."""

from driftline.identify.engines import MAX_LABEL_TEXT, MAX_LABELS, bounded_labels
from driftline.identify.engines.installed import installed_engines
from driftline.settings import Settings


def test_labels_are_bounded_and_the_kubelets_are_kept() -> None:
    labels = {f"a{number:03}": "x" * 10_000 for number in range(200)} | {"io.kubernetes.pod.name": "web-0"}
    kept = bounded_labels(labels)
    assert len(kept) == MAX_LABELS
    assert ("io.kubernetes.pod.name", "web-0") in kept
    assert list(kept) == sorted(kept)
    assert max(len(value) for _, value in kept) == MAX_LABEL_TEXT


def test_every_engine_of_the_settings_is_asked() -> None:
    engines = installed_engines(Settings(node="n"))
    assert [engine.name for engine in engines] == ["containerd", "cri-o", "docker", "podman"]
