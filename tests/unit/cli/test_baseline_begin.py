"""``driftline baseline begin``: an image that never ran here starts with what is known of its kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.schema import REVIEWED, STARTER_KEY, Baseline, Entry, Standing, State
from driftline.baseline.shelved import Shelved
from driftline.nouns import Behaviour, ExecBehaviour, OpenBehaviour
from unit.cli.baselines import NEW, OLD, PASSWD, SHADOW, SHELL, Node

WHY = ("--reason", "a known server", "--author", "ann")
PROGRAM, DATA = ExecBehaviour("/usr/bin/memcached", "memcached", "", False), OpenBehaviour("/srv/cache/**", "write")
IMAGE = f"registry.example/cache:3@{NEW}"


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    entries: dict[Behaviour, Entry] = {
        PROGRAM: Entry("learned", 0, 0, 0, frozenset(), package="pkg:deb/debian/memcached@1"),
        DATA: Entry(REVIEWED, 0, 0, 0, frozenset()),
    }
    path = tmp_path / "cache.yaml"
    path.write_text(to_yaml(Baseline(f"{STARTER_KEY}cache", state=State.ACTIVE, revision=1, entries=entries)))
    return path


def test_it_is_judged_and_learned_at_once(node: Node, starter: Path) -> None:
    status, out, _ = node.run("begin", IMAGE, str(starter), *WHY)
    assert status == 0
    assert "registry.example/cache:3 begins with 2 behaviours of starter:cache" in out
    assert "1 behaviour unconfirmed" in out
    found = node.one(NEW)
    assert (found.state, found.image, found.predecessor) == (
        State.LEARNING,
        "registry.example/cache:3",
        "starter:cache",
    )
    assert found.entries[PROGRAM].standing is Standing.UNCONFIRMED
    assert found.entries[DATA].standing is Standing.ALLOWED
    review = found.reviews[-1]
    assert (review.author, review.action, review.reason, review.what) == (
        "ann",
        "begin",
        "a known server",
        "starter:cache",
    )
    shelved = Shelved(found)
    assert not shelved.first_run
    assert shelved.learning is not None
    assert shelved.learning.why == "it began with a starter baseline"


def test_with_the_baseline_of_another_image(node: Node) -> None:
    assert node.run("begin", IMAGE, OLD, *WHY).status == 0
    found = node.one(NEW)
    assert found.predecessor == OLD
    assert found.entries[SHADOW].standing is Standing.REJECTED
    assert found.entries[SHELL].standing is Standing.NEEDS_REVIEW
    assert found.entries[PASSWD].standing is Standing.UNCONFIRMED


@pytest.mark.parametrize(
    "image", ["", "nginx", "nginx:1", f"nginx@{NEW[:-1]}", f"@{NEW}", f"a b@{NEW}", f"{'x' * 1001}@{NEW}", NEW.upper()]
)
def test_an_image_is_named_by_its_digest(node: Node, starter: Path, image: str) -> None:
    status, out, err = node.run("begin", image, str(starter), *WHY)
    assert (status, out) == (2, "")
    assert "does not name an image by its digest" in err
    assert "crictl images --digests" in err


def test_what_is_there_is_not_replaced(node: Node, starter: Path) -> None:
    before = node.one(OLD)
    status, out, err = node.run("begin", f"nginx@{OLD}", str(starter), *WHY)
    assert (status, out) == (2, "")
    assert "there is a baseline" in err
    assert node.one(OLD) == before


def test_what_a_workload_adds_begins_no_image(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "overlay.yaml"
    path.write_text(to_yaml(replace(node.one(), workload="shop/web")))
    status, _, err = node.run("begin", IMAGE, str(path), *WHY)
    assert status == 2
    assert "what a workload adds" in err


def test_a_starter_is_not_imported(node: Node, starter: Path) -> None:
    """It would be filed under a name no image has, and judge nothing."""
    status, _, err = node.run("import", str(starter), *WHY)
    assert status == 2
    assert "driftline baseline begin" in err
