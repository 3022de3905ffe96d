"""The formats of other tools a baseline can be written in.

In: a baseline, what the user knows of the target. Out: a policy as text, with what it cannot say. Next: the modules
named here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from driftline.baseline.export import apparmor, falco, kubearmor, networkpolicy, seccomp, tetragon
from driftline.baseline.export.common import Allowed, Exported, Wanted, allowed
from driftline.baseline.schema import Baseline


class Policy(StrEnum):
    """A format of another tool."""

    NETWORKPOLICY = "networkpolicy"
    SECCOMP = "seccomp"
    APPARMOR = "apparmor"
    FALCO = "falco"
    TETRAGON = "tetragon"
    KUBEARMOR = "kubearmor"


_EXPORTERS: dict[Policy, Callable[[Allowed, Wanted], Exported]] = {
    Policy.NETWORKPOLICY: networkpolicy.export,
    Policy.SECCOMP: seccomp.export,
    Policy.APPARMOR: apparmor.export,
    Policy.FALCO: falco.export,
    Policy.TETRAGON: tetragon.export,
    Policy.KUBEARMOR: kubearmor.export,
}


def export(baseline: Baseline, policy: Policy, wanted: Wanted, image: Baseline | None = None) -> Exported:
    """Return ``baseline`` as a ``policy``: what is allowed, and nothing else. ``image``: of an overlay, its image's.

    Raises ExportError.
    """
    return _EXPORTERS[policy](allowed(baseline, image), wanted)
