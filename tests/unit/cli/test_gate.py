"""Where a gate's events come from: options that contradict each other, whom a container is taken for, a run's end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driftline.baseline.format.yamltext import from_yaml, to_yaml
from driftline.baseline.schema import Baseline
from driftline.cli import containerrun, main
from driftline.cli.containerrun import Contained
from driftline.cli.enginecommands import Client, Ctr, Engine, Runtime, engine
from driftline.cli.gate import Captured
from driftline.errors import EngineError, SettingsError
from driftline.nouns import ExecBehaviour, OpenBehaviour, Subject
from driftline.probe.capture import CaptureWriter
from driftline.settings import Settings
from driftline.source import subject_record
from pipeline.kernelbytes import Box, Clock
from rig import session

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--runtime", "podman", "x.cap"), "are about a container to run"),
        (("a.cap", "b.cap"), "give one capture"),
        (("--rootfs", "/none", "--", "x"), "is no directory"),
        (("--rootfs", "/", "--runtime", "podman", "--", "x"), "--rootfs runs runc"),
        (("--image=-v/:/host",), "is no image"),
        (("none.cap",), "No such file"),
        (("--runtime", "none"), "none"),
    ],
)
def test_what_cannot_be_run_ends_with_2(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["baseline", "learn", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_a_container_is_judged_as_the_image_it_is_checked_against() -> None:
    ours = Subject(
        1, "/x", container_id="abc", image="web:2", image_digest="sha256:new", workload="shop", namespace="n"
    )
    choose = Captured(Path("x"), "abc", "web:2").chooser("sha256:old")
    assert choose is not None
    found = choose(ours)
    assert found is not None
    assert (found.baseline_key, found.overlay, found.image) == ("sha256:old", "", "web:2")
    assert choose(Subject(2, "/y", container_id="other")) is None
    assert Captured(Path("x")).chooser("sha256:old") is None


def test_a_container_nobody_names_has_the_name_the_user_gave() -> None:
    choose = Captured(Path("x"), "abc", f"web@{DIGEST}").chooser()
    assert choose is not None
    found = choose(Subject(1, "/x", container_id="abc"))
    assert found is not None
    assert (found.image, found.baseline_key) == (f"web@{DIGEST}", DIGEST)


def test_only_the_chosen_container_of_a_capture_is_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    boxes = [Box(clock, 100, "/default/ours"), Box(clock, 200, "/default/other")]
    path = tmp_path / "x.cap"
    with contextlib.closing(CaptureWriter(path)) as writer:
        for box in boxes:
            record, init = box.start(f"/bin/{box.path.rpartition('/')[2]}")
            writer.write([box.created(), record, init.open(f"/srv/{box.path.rpartition('/')[2]}")])
            writer.write([subject_record(Subject(box.cgroup, box.path, container_id=box.path, image_digest=DIGEST), 1)])
    given = Captured(path, "/default/ours", "web:1")
    monkeypatch.setattr("driftline.cli.baseline_learn.captured", lambda *_: contextlib.nullcontext(given))
    assert main.run(["baseline", "learn"]) == 0
    learned = from_yaml(capsys.readouterr().out)
    assert set(learned.entries) == {ExecBehaviour("/bin/ours", "ours", "", False), OpenBehaviour("/srv/ours", "read")}


def test_a_failed_container_fails_the_gate_only_if_nothing_deviates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    box = Box(Clock())
    path, baseline = tmp_path / "x.cap", tmp_path / "b.yaml"
    with contextlib.closing(CaptureWriter(path)) as writer:
        writer.write([box.created(), box.start()[0], subject_record(Subject(100, "/x", container_id="c"), 1)])
    given = Captured(path, "c", "web:1", status=9)
    monkeypatch.setattr("driftline.cli.baseline_check.captured", lambda *_: contextlib.nullcontext(given))
    baseline.write_text(to_yaml(Baseline(DIGEST)))
    assert main.run(["baseline", "check", "--baseline", str(baseline)]) == 1
    assert main.run(["baseline", "check", "--baseline", str(baseline), "--severity", "critical"]) == 2
    assert "the container ended with status 9" in capsys.readouterr().err


# --- engines ----------------------------------------------------------------------------------------------------------


def test_clients_understand_the_same_words(tmp_path: Path) -> None:
    client = Client("podman", "web:1", ["--env=A=1"], tmp_path)
    file = tmp_path / "container-id"
    command = ["podman", "run", "--cidfile", str(file), "--env=A=1", "web:1", "sh", "-c", "id"]
    assert client.run(["sh", "-c", "id"]) == command
    assert client.identifier() == ""
    file.write_text("abc\n")
    assert client.stop() == ["podman", "stop", "abc"]


def test_containerds_client_is_told_an_id_the_sensor_knows_anywhere() -> None:
    client = Ctr("/run/c.sock", "web:1", [])
    assert client.run(["id"])[-3:] == ["web:1", client.identifier(), "id"]
    assert len(client.identifier()) == 64


def test_the_first_engine_that_answers_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of docker, which fails, and podman, which answers."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name, status in (("docker", 1), ("podman", 0), ("nerdctl", 1), ("ctr", 1)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (tmp_path / name).chmod(0o755)
    assert engine(None, "web:1", [], tmp_path, Settings(node="n")).name == "podman"
    with pytest.raises(EngineError, match="docker is not here, or does not answer"):
        engine(Runtime.DOCKER, "web:1", [], tmp_path, Settings(node="n"))
    (tmp_path / "podman").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(EngineError, match="no container engine answers here"):
        engine(None, "web:1", [], tmp_path, Settings(node="n"))
    with pytest.raises(SettingsError, match="is no image"):
        engine(None, "", [], tmp_path, Settings(node="n"))


class Shell(Engine):
    """A process in place of a container."""

    name = "shell"

    def __init__(self) -> None:
        self.cleaned = 0

    def run(self, words: list[str]) -> list[str]:
        return ["/bin/sh", "-c", *words]

    def identifier(self) -> str:
        return "abc"

    def stop(self) -> list[str]:
        return ["/bin/true"]

    def clean(self) -> None:
        self.cleaned += 1


def until_over(contained: Contained, each: Callable[[], None] = lambda: None) -> None:
    while not contained.over():
        each()
        time.sleep(0.01)


def test_a_run_is_over_when_it_ended_and_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containerrun, "SETTLE_SECONDS", 0.0)
    with Contained(Shell(), ["exit 3"], 0) as contained:
        until_over(contained, lambda: contained.see(Subject(1, "/x", container_id="abc", image_digest=DIGEST)))
        assert (contained.status, contained.identifier()) == (3, "abc")
    assert contained.engine.cleaned == 1  # type: ignore[attr-defined]


def test_a_run_nobody_names_is_over_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containerrun, "NAME_SECONDS", 0.1)
    with Contained(Shell(), [":"], 0) as contained:
        until_over(contained)
        with pytest.raises(EngineError, match="ran no container that was seen here"):
            contained.identifier()


def test_what_does_not_end_when_asked_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containerrun, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(containerrun, "NAME_SECONDS", 0.1)
    with Contained(Shell(), ["exec sleep 1000"], 0.05) as contained:
        until_over(contained)
        assert (contained.stopped, contained.status) == (True, 0)


def test_an_error_meanwhile_leaves_no_process() -> None:
    shell, before = Shell(), set(session.children())
    with contextlib.suppress(RuntimeError), Contained(shell, ["exec sleep 1000"], 0) as contained:
        contained.over()
        raise RuntimeError
    assert shell.cleaned == 1
    assert not set(session.children()) - before


def test_an_engine_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell()
    monkeypatch.setattr(shell, "run", lambda _words: ["/none"])
    with pytest.raises(EngineError, match="cannot be run"), Contained(shell, [], 0) as contained:
        contained.over()
