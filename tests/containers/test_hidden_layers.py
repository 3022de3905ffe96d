"""An agent in a container of its own does not see the engine's directories: it reaches them through the node's init."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.containers

ASK = """
import json, sys
from driftline.verdict.copyup import Overlay, layers_of
layers, upper = sys.argv[1:3], sys.argv[3]
print(json.dumps([layers_of(Overlay("/", tuple(one), upper)) for one in (layers, ["1/fs", "2/fs"])]))
"""


HIDE = 'mount -t tmpfs none "$0" && exec "$@"'
INIT = 'unshare -m sh -c "$0" "$@"; exit $?'


def test_layers_out_of_sight_are_found_through_the_nodes_init(tmp_path: Path) -> None:
    """A pid namespace stands for the node, its first process for the node's init; a tmpfs hides the directory in a
    mount namespace of its own, as an image's file system would."""
    layers = [str(tmp_path / f"{number}/fs") for number in (1, 2)]
    for layer in layers:
        Path(layer).mkdir(parents=True)
    ask = [sys.executable, "-c", ASK, *layers, str(tmp_path / "3/fs")]
    node = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", INIT, HIDE, str(tmp_path)]
    found = subprocess.run([*node, *ask], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    seen_through_init = [f"/proc/1/root{layer}" for layer in layers]
    assert json.loads(found.stdout) == [seen_through_init, seen_through_init]
