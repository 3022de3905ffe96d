"""The directory baselines are kept in: ``STATE_DIR/baselines/<key>/baseline.msgpack`` and ``baseline.yaml``.

In: baselines to save. Out: the baselines of earlier runs. The msgpack file is what the agent loads; the YAML is for
people. A file is replaced whole or not at all: written beside, synced, renamed, directory synced. A file that cannot be
read is set aside under another name and told, never dropped. Next: ``lifecycle`` loads all, then saves what is dirty.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from driftline.baseline.canonical import MAX_FILE, from_msgpack, to_msgpack
from driftline.baseline.document import DocumentError
from driftline.baseline.schema import Baseline
from driftline.baseline.yamltext import to_yaml
from driftline.errors import StateError

MSGPACK = "baseline.msgpack"
YAML = "baseline.yaml"
BAD = ".bad"
"""Suffix of a file set aside."""
MAX_NAME = 100
"""Characters of a directory name made from a key: file systems allow 255 bytes."""

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def directory_name(key: str) -> str:
    """Return a directory name for a baseline key: ``sha256:ab…`` → ``sha256-ab…``.

    A key that is no plain algorithm and digest gets the name of its own digest instead: two keys never share one.
    """
    algorithm, _, digest = key.partition(":")
    if digest and algorithm.isalnum() and _SAFE.issuperset(algorithm + digest) and len(key) <= MAX_NAME:
        return f"{algorithm}-{digest}"
    return "~" + hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class BaselineStore:
    """Baselines on disk. Every method raises StateError when the disk refuses; the agent goes on without it."""

    def __init__(self, state_dir: str) -> None:
        self.root = Path(state_dir) / "baselines"

    def save(self, baseline: Baseline) -> None:
        """Write ``baseline``, both files; on return they are on the disk."""
        directory = self.root / directory_name(baseline.key)
        try:
            make_directory(directory)
            replace_file(directory / MSGPACK, to_msgpack(baseline))
            replace_file(directory / YAML, to_yaml(baseline).encode())
            sync_directory(directory)
        except OSError as error:
            raise StateError(
                f"cannot save the baseline of {baseline.key} in {directory}: {error.strerror}",
                "free space, or make the directory writable for the agent (--state-dir)",
            ) from error

    def remove(self, key: str) -> None:
        """Delete the baseline of ``key``, if it is kept."""
        directory = self.root / directory_name(key)
        try:
            for name in (MSGPACK, YAML):
                (directory / name).unlink(missing_ok=True)
            if directory.is_dir():
                directory.rmdir()
                sync_directory(self.root)
        except OSError as error:
            raise StateError(f"cannot remove the baseline of {key} in {directory}: {error.strerror}") from error

    def load(self) -> Iterator[Baseline | StateError]:
        """Yield every baseline kept; in the place of one that cannot be read, the error that says why."""
        try:
            names = sorted(os.listdir(self.root))
        except FileNotFoundError:
            return
        except OSError as error:
            yield StateError(f"cannot read {self.root}: {error.strerror}", "check its owner and mode")
            return
        for name in names:
            path = self.root / name / MSGPACK
            if path.exists():
                yield self._load_or_set_aside(path)

    def load_one(self, key: str) -> Baseline | StateError | None:
        """Return the baseline of ``key``, None if none is kept."""
        path = self.root / directory_name(key) / MSGPACK
        return self._load_or_set_aside(path) if path.exists() else None

    def _load_or_set_aside(self, path: Path) -> Baseline | StateError:
        try:
            baseline = from_msgpack(_read(path))
            if directory_name(baseline.key) != path.parent.name:
                raise DocumentError(f"key: {baseline.key!r} does not belong in this directory")
        except OSError as error:
            return StateError(f"cannot read the baseline {path}: {error.strerror}", "check its owner and mode")
        except DocumentError as error:
            return StateError(f"{path} is no baseline: {error}", _set_aside(path))
        return baseline


def _set_aside(path: Path) -> str:
    """Rename a bad file; return what to tell the user about it."""
    aside = path.with_name(path.name + BAD)
    try:
        os.replace(path, aside)
    except OSError as error:
        return f"remove it; it could not be set aside: {error.strerror}"
    return f"it was set aside as {aside}, and the image is learned again; restore it from a copy if you have one"


def _read(path: Path) -> bytes:
    """The bytes of a regular file of bounded size, links not followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise DocumentError(f"more than {MAX_FILE} bytes")
    return data


def replace_file(path: Path, data: bytes) -> None:
    """Put ``data`` in the place of ``path`` in one step; a full disk is not left fuller. Raises OSError."""
    beside = path.with_name(path.name + ".new")
    try:
        _write(beside, data)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _write(beside: Path, data: bytes) -> None:
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def make_directory(directory: Path) -> None:
    """Make ``directory`` and those above it, so that they outlive a power failure. Raises OSError."""
    if directory.is_dir():
        return
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """Make what was renamed or removed in ``directory`` outlive a power failure. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
