"""``driftline sbom in-use``: never more than was observed, in every format valid."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from vexipy.document import Document

from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.schema import CARRIED, Baseline, Entry, Standing
from driftline.cli import main
from driftline.nouns import Behaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour
from unit.cli.baselines import HOUR, NOW, OLD, Node

SHELL, LIBC = "pkg:deb/debian/dash@0.5.12-2?arch=amd64", "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64"
CURL, OLD_ONE = "pkg:deb/debian/curl@7.88.1-10?arch=amd64", "pkg:deb/debian/zlib1g@1.2.13"
HOSTILE = "evil\x1b[31m\u202e 1.0\n"


def entry(package: str, **fields: Any) -> Entry:
    known: dict[str, Any] = {"source": "learned", "first_ns": NOW - HOUR, "last_ns": NOW, "count": 3}
    return Entry(**(known | {"containers": frozenset({"c1"}), "package": package} | fields))


def baseline(*packages: str, **fields: Any) -> Baseline:
    entries: dict[Behaviour, Entry] = {
        ExecBehaviour("/bin/dash", "sh", "", False): entry(SHELL, standing=Standing.NEEDS_REVIEW, checks=("NL-05",)),
        LoadBehaviour("/lib/libc.so.6"): entry(LIBC),
        OpenBehaviour("/usr/lib/locale/C", "read"): entry(LIBC, containers=frozenset({"c2"})),
        LoadBehaviour("/lib/libz.so.1"): entry(OLD_ONE, source=CARRIED),
        OpenBehaviour("/etc/curlrc", "read"): entry(CURL, source="reviewed", count=0, containers=frozenset()),
    }
    known: dict[str, Any] = {"image": "docker.io/library/web:1", "elapsed_ns": 90 * 10**9, "startups": 2}
    return Baseline(
        OLD, entries=entries, packages=tuple(sorted((SHELL, LIBC, CURL, OLD_ONE, *packages))), **(known | fields)
    )


class Command:
    """The command over one baseline file."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory, self._capsys = directory, capsys
        self.put(baseline())

    def put(self, one: Baseline) -> None:
        (self.directory / "b.yaml").write_text(to_yaml(one))

    def run(self, *words: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        status = main.run(["sbom", "in-use", str(self.directory / "b.yaml"), *words])
        out, err = self._capsys.readouterr()
        assert all(line.isprintable() for line in (out + err).splitlines())
        return status, out, err


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


def test_the_table_says_what_was_looked_at_and_what_was_seen(command: Command) -> None:
    status, out, _ = command.run()
    lines = out.splitlines()
    assert status == 0
    assert lines[0] == "docker.io/library/web:1: 2 of 4 packages seen in use, 1 not seen"
    assert lines[1].startswith("window    90 s of running time in 2 containers, 2 complete start-ups, 2026-11-23")
    assert "1 were seen in the image before this one" in out
    assert [line.split()[:3] for line in lines if "dash" in line or "libc6" in line] == [
        ["1", "0", "0"],
        ["0", "1", "1"],
    ]
    assert "curl" not in out
    assert "not seen          pkg:deb/debian/curl" in command.run("--unseen")[1]
    assert "no proof" in lines[-1]


def test_a_partial_observation_says_so(command: Command) -> None:
    command.put(baseline(losses=2))
    assert "partial   losses 2: what was missed may use more" in command.run()[1]


def test_json_has_each_package(command: Command) -> None:
    document = json.loads(command.run("--format", "json")[1])
    seen = {one["package"]: one["seen"] for one in document["packages"]}
    assert seen == {SHELL: "in-use", LIBC: "in-use", OLD_ONE: "before", CURL: "not-seen"}
    assert document["window"]["complete"] is True


def test_cyclonedx_is_valid_and_the_same_again(command: Command) -> None:
    command.put(baseline(HOSTILE))
    _, out, _ = command.run("--format", "cyclonedx")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(out) is None
    assert command.run("--format", "cyclonedx")[1] == out
    parts = {one["bom-ref"]: one for one in json.loads(out)["components"]}
    facts = {one["name"]: one["value"] for one in parts[CURL]["properties"]}
    assert facts["driftline:in-use:seen"] == "not-seen"
    assert (parts[CURL]["name"], parts[CURL]["version"], parts[CURL]["purl"]) == ("curl", "7.88.1-10", CURL)
    assert any("evil" in name for name in parts)


def statements(command: Command, *words: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    status, out, err = command.run("--format", "openvex", *words)
    assert status == 0, err
    document = json.loads(out)
    Document.from_json(out)
    assert {one["status"] for one in document["statements"]} == {"under_investigation"}
    assert not [one for one in document["statements"] if {"justification", "impact_statement"} & one.keys()]
    return document, document["statements"]


def test_openvex_never_says_more_than_under_investigation(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    words = ("--vulnerability", "CVE-2024-1", "--package", CURL)
    document, (one,) = statements(command, *words)
    assert one["status_notes"].startswith("Candidate for not_affected, vulnerable_code_not_in_execute_path: no file")
    assert one["products"] == [{"@id": f"pkg:oci/web@{OLD.replace(':', '%3A')}", "subcomponents": [{"@id": CURL}]}]
    assert document["timestamp"] == "2023-11-14T22:13:20Z"
    assert statements(command, *words)[0] == document


def test_openvex_of_what_ran_and_of_a_partial_observation(command: Command) -> None:
    _, (one,) = statements(command, "--vulnerability", "CVE-1", "--package", SHELL.partition("?")[0])
    assert one["status_notes"].startswith("The package is in use: 1 of its files executed, 0 loaded, 0 opened")
    command.put(baseline(losses=1))
    _, (one,) = statements(command, "--vulnerability", "CVE-1", "--package", CURL)
    assert one["status_notes"].startswith("Not seen in use, but no candidate: the observation is partial (losses 1)")


GRYPE = {"matches": [{"vulnerability": {"id": "CVE-2"}, "artifact": {"purl": LIBC}}, {"artifact": 7}, None]}
TRIVY = {
    "Results": [
        {"Vulnerabilities": [{"VulnerabilityID": "CVE-3", "PkgIdentifier": {"PURL": CURL}}] * 2},
        {"Vulnerabilities": None},
        {"Vulnerabilities": [{"VulnerabilityID": "CVE-4", "PkgIdentifier": {"PURL": "pkg:deb/debian/none@1"}}]},
    ]
}


@pytest.mark.parametrize(("report", "names"), [(GRYPE, ["CVE-2"]), (TRIVY, ["CVE-3"])])
def test_findings_of_scanners(command: Command, report: Any, names: list[str]) -> None:
    path = command.directory / "report.json"
    path.write_text(json.dumps(report))
    _, found = statements(command, "--report", str(path))
    assert [one["vulnerability"]["name"] for one in found] == names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "none is known here"),
        (("--vulnerability", "CVE-1", "--package", "curl"), "none is known here"),
        (("--vulnerability", "CVE-1", "--package", "pkg:deb/debian/none@1"), "no finding is about a package"),
        (("--report", "/none"), "cannot be read"),
        (("--report", "/etc/passwd"), "is no JSON"),
        (("--report", "REPORT"), "is no report of Grype or Trivy"),
    ],
)
def test_what_cannot_be_stated(command: Command, words: tuple[str, ...], said: str) -> None:
    path = command.directory / "report.json"
    path.write_text("[1]")
    words = tuple(str(path) if word == "REPORT" else word for word in words)
    status, out, err = command.run("--format", "openvex", *words)
    assert status in (2, 5)
    assert out == ""
    assert said in err


def test_without_packages_it_says_what_to_give(command: Command) -> None:
    command.put(replace(baseline(), packages=(), entries={}))
    status, _, err = command.run()
    assert status == 5
    assert "--root DIR" in err


def test_the_baseline_in_force_on_a_node(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main.run(["sbom", "in-use", "nginx", "--state-dir", str(node.directory)]) == 0
    assert "2 of 2 packages seen in use" in capsys.readouterr().out


def test_packages_from_the_images_root(command: Command, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "var/lib/dpkg/info").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text("ID=debian\n")
    status = "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\n\n"
    (root / "var/lib/dpkg/status").write_text(status)
    (root / "var/lib/dpkg/info/libc6.list").write_text("/lib/libc.so.6\n")
    command.put(replace(baseline(), packages=(), entries={LoadBehaviour("/lib/libc.so.6"): entry("")}))
    _, out, _ = command.run("--root", str(root))
    assert "1 of 1 package seen in use" in out
    assert "pkg:deb/debian/libc6@2.36-9" in out
