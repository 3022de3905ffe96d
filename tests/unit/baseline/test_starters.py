"""The starter baselines in ``baselines/``: whole, reviewed, and of nobody's machine."""

from __future__ import annotations

import ipaddress
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.yamltext import from_yaml, to_yaml
from driftline.baseline.inventory.purl import parse
from driftline.baseline.patterns import pattern
from driftline.baseline.schema import REVIEWED, STARTER_KEY, Baseline, Standing, State
from driftline.nouns import ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "baselines").glob("*.yaml"))
NAMES = [path.stem for path in FILES]
KNOWN_ADDRESSES = {"loopback", "self", "resolver"}


def read(path: Path) -> Baseline:
    return from_yaml(path.read_text())


def test_the_promised_ones_are_there() -> None:
    assert NAMES == ["haproxy", "memcached", "nginx", "postgresql", "redis"]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_it_is_as_the_schema_says_and_lossless(path: Path) -> None:
    text = path.read_text()
    schema = json.loads((ROOT / "baselines/schema.json").read_text())
    document = yaml.safe_load(text)
    jsonschema.Draft202012Validator(schema).validate(document)
    found = from_yaml(text)
    assert to_yaml(found) == text  # as the program writes it: whoever makes it again sees what changed
    assert version_of(found) == document["version"]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_it_is_of_no_image_and_reviewed(path: Path) -> None:
    found = read(path)
    assert (found.key, found.state) == (f"{STARTER_KEY}{path.stem}", State.ACTIVE)
    assert (found.reasons, found.excuses) == ((), ())
    assert {entry.standing for entry in found.entries.values()} == {Standing.ALLOWED}
    for behaviour, entry in found.entries.items():
        if isinstance(behaviour, ExecBehaviour | LoadBehaviour):
            assert behaviour.origin == "", behaviour
            assert parse(entry.package), behaviour  # what runs is some package's
        elif isinstance(behaviour, OpenBehaviour):
            pattern.check(behaviour.path)
            if "*" in behaviour.path and entry.source != REVIEWED:  # folded by the agent
                assert (path.stem, str(behaviour.access)) == ("postgresql", "read"), behaviour


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_nothing_of_the_machine_it_was_made_on(path: Path) -> None:
    text, found = path.read_text(), read(path)
    assert not found.containers
    assert {(entry.first_ns, entry.last_ns, entry.count) for entry in found.entries.values()} == {(0, 0, 0)}
    assert not any(entry.examples for entry in found.entries.values())
    assert not re.search(r"/orders|/entry|dlrig|driftline-|/work/", text)
    for behaviour in found.entries:
        if isinstance(behaviour, ConnectBehaviour) and behaviour.protocol == "unix":
            assert behaviour.address.startswith(f"/run/{path.stem}/")
        elif isinstance(behaviour, ConnectBehaviour):
            assert behaviour.address in KNOWN_ADDRESSES, behaviour
    for word in re.findall(r"\d+\.\d+\.\d+\.\d+", text):
        with pytest.raises(ValueError, match="does not appear"):  # a version, no address
            assert not ipaddress.ip_address(word).is_private


def test_the_readme_names_each_and_its_decisions() -> None:
    text = (ROOT / "baselines/README.md").read_text()
    assert [name for name in NAMES if f"`{name}.yaml`" not in text] == []


def test_no_other_program_runs() -> None:
    """Whoever adds one explains it here first: a shell or a tool in a starter is allowed everywhere."""
    programs = {
        behaviour.path.rpartition("/")[2]
        for path in FILES
        for behaviour in read(path).entries
        if isinstance(behaviour, ExecBehaviour)
    }
    assert programs <= {"haproxy", "memcached", "nginx", "pg_isready", "postgres", "redis-check-rdb", "redis-cli"}
