"""Pod and workload names from the kubelet's labels."""

import pytest

from driftline.identify.kubernetes import PodNames, pod_names, workload_of


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("web-7d4b9c6f5b-x2v5z", "web"),  # Deployment: template hash and suffix
        ("web-api-6c5bd8f7c-zp4kq", "web-api"),
        ("node-exporter-x8z2k", "node-exporter"),  # DaemonSet
        ("db-0", "db"),  # StatefulSet
        ("backup-28012345-q7m2x", "backup-28012345"),  # Job of a CronJob
        ("debug", "debug"),  # made by hand
        ("my-pod-name", "my-pod-name"),  # vowels: nothing was generated
        ("", ""),
    ],
)
def test_workload_of(pod: str, workload: str) -> None:
    assert workload_of(pod) == workload


def test_pod_names() -> None:
    labels = {
        "io.kubernetes.pod.name": "db-0",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.container.name": "postgres",
    }
    assert pod_names(labels) == PodNames("shop", "db-0", "postgres", "db")
    assert pod_names({"app": "x"}) == PodNames("", "", "", "")
