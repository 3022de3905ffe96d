"""Which pod and workload a container is of, from the labels every kubelet sets.

In: labels of a container. Out: ``PodNames``. Source: k8s.io/kubelet/pkg/types/labels.go (``io.kubernetes.*``). Why
here: containerd, CRI-O and Docker carry the same labels. Next: ``resolver``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"  # alphabet of k8s.io/apimachinery/pkg/util/rand
_DEPLOYMENT = re.compile(rf"(.+)-{_RANDOM}{{6,10}}-{_RANDOM}{{5}}")
_GENERATED = re.compile(rf"(.+)-(?:{_RANDOM}{{5}}|\d{{1,5}})")


class PodNames(NamedTuple):
    """Kubernetes' names; all empty outside it."""

    namespace: str
    pod: str
    container: str
    workload: str


def pod_names(labels: dict[str, str]) -> PodNames:
    """Read the kubelet's labels."""
    pod = labels.get("io.kubernetes.pod.name", "")
    namespace = labels.get("io.kubernetes.pod.namespace", "")
    return PodNames(namespace, pod, labels.get("io.kubernetes.container.name", ""), workload_of(pod))


def workload_of(pod: str) -> str:
    """Return the name of the Deployment, StatefulSet, DaemonSet or Job that made ``pod``, judged by its name alone.

    A pod of a Deployment ends in a template hash and a random suffix, one of a DaemonSet or Job in a random suffix, one
    of a StatefulSet in its number. A pod made by hand is its own workload.
    """
    match = _DEPLOYMENT.fullmatch(pod) or _GENERATED.fullmatch(pod)
    return match[1] if match else pod
