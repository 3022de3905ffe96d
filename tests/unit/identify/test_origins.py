"""The origin of a file, judged by mounts and, for an overlay, by its directories."""

import os
from pathlib import Path

import pytest

from driftline.identify.origins import Mount, mount_of, origin_of, parse_mounts
from driftline.nouns import Origin

MOUNTINFO = """146 109 0:71 / / rw,relatime - overlay overlay rw,lowerdir=/l1:/l2,upperdir=/u,workdir=/w
147 146 0:75 / /proc rw,nosuid - proc proc rw
148 146 0:76 / /dev rw,nosuid master:3 - tmpfs tmpfs rw,size=65536k
149 146 254:0 /vol /data ro,relatime - ext4 /dev/vda rw
150 149 0:80 / /data/my\\040tmp rw - tmpfs none rw
nonsense
"""


def state_of(path: Path) -> os.stat_result:
    return path.stat(follow_symlinks=False)


def test_mountinfo_is_read() -> None:
    mounts = parse_mounts(MOUNTINFO)
    assert [mount.point for mount in mounts] == ["/", "/proc", "/dev", "/data", "/data/my tmp"]
    assert mounts[0] == Mount("/", "overlay", "rw,lowerdir=/l1:/l2,upperdir=/u,workdir=/w")


@pytest.mark.parametrize(
    ("path", "point"),
    [
        ("/etc/passwd", "/"),
        ("/data", "/data"),
        ("/database", "/"),
        ("/data/x", "/data"),
        ("/data/my tmp/x", "/data/my tmp"),
        ("/dev/shm/x", "/dev"),
    ],
)
def test_the_deepest_mount_holds_a_path(path: str, point: str) -> None:
    mount = mount_of(path, parse_mounts(MOUNTINFO))
    assert mount is not None
    assert mount.point == point


def test_a_later_mount_at_the_same_point_hides_the_first() -> None:
    mounts = [Mount("/", "ext4", ""), Mount("/a", "ext4", ""), Mount("/a", "tmpfs", "")]
    assert mount_of("/a/b", mounts) == Mount("/a", "tmpfs", "")
    assert mount_of("/a/b", []) is None


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/data/x", Origin.VOLUME),
        ("/dev/shm/x", Origin.TMPFS),
        ("/proc/1/maps", Origin.PSEUDO),
        ("/data/my tmp/x", Origin.TMPFS),
    ],
)
def test_mounts_decide(tmp_path: Path, path: str, origin: Origin) -> None:
    (tmp_path / "x").touch()
    assert origin_of(path, state_of(tmp_path / "x"), parse_mounts(MOUNTINFO)) is origin


def test_a_root_that_is_no_overlay(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert origin_of("/x", state_of(tmp_path / "x"), [Mount("/", "ext4", "rw")]) is Origin.ROOTFS
    assert origin_of("/x", state_of(tmp_path / "x"), []) is Origin.UNKNOWN


def test_deleted_files_and_memory_files(tmp_path: Path) -> None:
    with open(tmp_path / "x", "w") as file:
        os.unlink(tmp_path / "x")
        gone = os.fstat(file.fileno())
    memory = os.memfd_create("m")
    assert origin_of("/x", gone, []) is Origin.DELETED
    assert origin_of("/memfd:m (deleted)", os.fstat(memory), []) is Origin.MEMFD
    os.close(memory)


def test_a_pipe_is_no_file_of_anybody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    assert origin_of("/x", state_of(tmp_path / "x"), [Mount("/", "ext4", "rw")]) is Origin.PSEUDO


class Layers:
    """An overlay's directories."""

    def __init__(self, at: Path) -> None:
        self.upper, self.lower, self.base = at / "up,per", at / "lower", at / "base"
        for layer in (self.upper, self.lower, self.base):
            (layer / "bin").mkdir(parents=True)

    def write(self, layer: Path, text: str, mtime: int = 1) -> None:
        (layer / "bin/x").write_text(text)
        os.utime(layer / "bin/x", (mtime, mtime))

    def origin(self, layer: Path, upper: str | None = None) -> Origin:
        upper = str(self.upper).replace(",", "\\,") if upper is None else upper
        options = f"rw,lowerdir={self.lower}:{self.base},upperdir={upper},workdir=/w"
        return origin_of("/bin/x", state_of(layer / "bin/x"), [Mount("/", "overlay", options)])


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    return Layers(tmp_path)


def test_what_is_not_in_the_upper_directory_is_the_images(layers: Layers) -> None:
    layers.write(layers.base, "shipped")
    assert layers.origin(layers.base) is Origin.IMAGE


def test_what_only_the_upper_directory_has_was_written(layers: Layers) -> None:
    layers.write(layers.upper, "dropped")
    assert layers.origin(layers.upper) is Origin.WRITABLE


def test_a_mere_chmod_is_told_from_new_content(layers: Layers) -> None:
    layers.write(layers.base, "shipped")
    layers.write(layers.upper, "shipped")
    assert layers.origin(layers.upper) is Origin.COPYUP
    layers.write(layers.upper, "changed", mtime=2)
    assert layers.origin(layers.upper) is Origin.WRITABLE


def test_the_topmost_lower_file_is_the_one_compared(layers: Layers) -> None:
    layers.write(layers.base, "old")
    layers.write(layers.lower, "shipped")
    layers.write(layers.upper, "old")
    assert layers.origin(layers.upper) is Origin.WRITABLE


@pytest.mark.parametrize("upper", ["91/fs", "/nowhere/else"])
def test_directories_that_cannot_be_reached_decide_nothing(layers: Layers, upper: str) -> None:
    layers.write(layers.upper, "x")
    assert layers.origin(layers.upper, upper) is Origin.UNKNOWN


def test_an_overlay_without_an_upper_directory_is_all_image(layers: Layers) -> None:
    layers.write(layers.lower, "x")
    state = state_of(layers.lower / "bin/x")
    assert origin_of("/bin/x", state, [Mount("/", "overlay", f"ro,lowerdir={layers.lower}")]) is Origin.IMAGE


def test_links_planted_by_the_container_are_not_followed(layers: Layers, tmp_path: Path) -> None:
    layers.write(layers.base, "shipped")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_text("planted")
    (layers.upper / "bin").rmdir()
    (layers.upper / "bin").symlink_to(tmp_path / "outside")
    assert layers.origin(layers.base) is Origin.IMAGE
