"""``driftline doctor`` on this very kernel: it tells what then really happens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from driftline.errors import HostError
from driftline.identify import hierarchy
from driftline.probe import preflight
from driftline.probe.sensor import Sensor
from driftline.settings import Settings
from rig import session


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "driftline", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_host_that_runs_these_tests_can_run_the_agent() -> None:
    done = doctor()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("the agent can run here\n")


def test_every_provider_it_calls_usable_starts_and_no_other_does() -> None:
    report = preflight.examine_providers()
    for provider in preflight.PROVIDERS:
        try:
            Sensor.start(Settings(), provider, Path(hierarchy.find().root), session.CACHE / "bpf").close()
            started = True
        except HostError:
            started = False
        # lsm programs start without the bpf module being active, and nobody calls them: doctor is stricter
        assert started or preflight.unusable(report, provider)
        assert not started or not preflight.unusable(report, provider) or provider == "lsm"


def test_a_wanted_provider_is_chosen_or_refused_as_examined() -> None:
    report = preflight.examine_providers()
    for provider in preflight.PROVIDERS:
        told = json.loads(doctor("--json", "--open-provider", provider).stdout)
        assert told["can_run"] is not bool(preflight.unusable(report, provider))
        assert told["provider"] == (provider if told["can_run"] else "")


def test_without_root_it_says_what_it_could_not_try() -> None:
    command = [sys.executable, "-m", "driftline", "doctor"]
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **nobody)  # type: ignore[call-overload]
    assert done.returncode == 3
    assert "not tried without CAP_BPF" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
