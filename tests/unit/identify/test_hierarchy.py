"""The cgroup2 tree is found wherever it is mounted, and listed as it is."""

import os
from pathlib import Path

import pytest

from driftline.errors import HostError
from driftline.identify import hierarchy
from driftline.identify.hierarchy import Hierarchy, find, mounts_of_cgroup2
from driftline.nouns import Loss

HYBRID = """31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""


def test_hybrid_and_pure_hosts() -> None:
    assert mounts_of_cgroup2(HYBRID) == ["/sys/fs/cgroup/unified"]
    pure = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"
    assert mounts_of_cgroup2(pure) == ["/sys/fs/cgroup"]


def test_mount_points_are_unescaped_and_nonsense_is_passed_over() -> None:
    text = "41 31 0:38 / /mnt/my\\040tree rw - cgroup2 none rw\ncgroup2\n - cgroup2 \n\n"
    assert mounts_of_cgroup2(text) == ["/mnt/my tree"]


def test_no_cgroup2_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n")
    with pytest.raises(HostError, match="mount -t cgroup2"):
        find(str(tmp_path / "mountinfo"))


def test_a_part_of_the_tree_is_taken_but_known_as_such(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(f"41 31 0:38 /x {tmp_path} rw - cgroup2 none rw\n")
    found = find(str(tmp_path / "mountinfo"))
    assert found.root == str(tmp_path)
    assert not found.whole  # an ordinary directory is not inode 1


def test_watched_lists_parents_first_with_inode_numbers(tmp_path: Path) -> None:
    odd = os.fsdecode(b"od\xffd")
    for path in ("default/web/inner", f"default/{odd}", "system.slice/ssh.service"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "default" / "cgroup.procs").touch()
    tree = Hierarchy(str(tmp_path))
    found = tree.watched(("default",))
    assert [cgroup.path for cgroup in found] == [f"/default/{odd}", "/default/web", "/default/web/inner"]
    for cgroup in found:
        directory = Path(tree.directory(cgroup.path))
        assert cgroup.cgroup == directory.stat().st_ino
        assert cgroup.parent == directory.parent.stat().st_ino
    assert tree.losses() == []


def test_a_walk_is_bounded_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "default/a/b/c").mkdir(parents=True)
    tree = Hierarchy(str(tmp_path))
    monkeypatch.setattr(hierarchy, "MAX_DEPTH", 3)
    assert [cgroup.path for cgroup in tree.watched(("default",))] == ["/default/a", "/default/a/b"]
    assert tree.losses() == [Loss("identify", "cgroup_walk_cut", 1)]
    monkeypatch.setattr(hierarchy, "MAX_DEPTH", 32)
    monkeypatch.setattr(hierarchy, "MAX_CGROUPS", 1)
    assert [cgroup.path for cgroup in tree.watched(("default",))] == ["/default/a"]
    assert tree.losses() == [Loss("identify", "cgroup_walk_cut", 1)]
    assert tree.losses() == []
