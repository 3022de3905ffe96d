"""An image's root directory, read without being led out of it.

In: a directory somebody else filled. Out: file contents, directory entries, and paths as the kernel resolves them
inside that root. Why ``openat2``: a link in an image may point at ``/etc/shadow`` or, while we look, be put in a
directory's place; with RESOLVE_IN_ROOT the kernel itself stays inside. Nothing but regular files is opened: no fifo
holds us up. Source: openat2(2), Linux 5.6. Next: ``dpkg``, ``apk``, ``rpm``, ``walk``.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from driftline.baseline.inventory.schema import MAX_PATH, InventoryError
from driftline.text import escape

_OPENAT2 = 437  # the same number on every architecture (asm-generic/unistd.h)
_NO_MAGICLINKS, _IN_ROOT = 0x02, 0x10  # linux/openat2.h
MAX_LINKS = 40
"""Links followed for one path, as the kernel does (path_resolution(7))."""
MAX_RESOLVED = 100_000
"""Directories whose resolved name is remembered: some 200 bytes each."""

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


class Root:
    """A root directory, held open. Use as a context manager. Raises InventoryError if it is no directory."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._resolved: dict[str, str] = {"": ""}
        try:
            self._directory = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            message = f"{escape(self.path)} cannot be opened: {error.strerror}"
            raise InventoryError(message, "give the root directory of an image") from error

    def __enter__(self) -> Root:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._directory)

    def handle(self, path: str, flags: int = 0) -> int:
        """Return an ``O_PATH`` descriptor of ``path``; raises OSError. The caller closes it."""
        how = _OpenHow(os.O_PATH | os.O_CLOEXEC | flags, 0, _IN_ROOT | _NO_MAGICLINKS)
        name = os.fsencode(path or "/")
        found = int(_libc.syscall(_OPENAT2, self._directory, name, ctypes.byref(how), ctypes.sizeof(how)))
        if found < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return found

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """Open the regular file ``path`` for reading. Raises OSError."""
        handle = self.handle(path)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(0, "not a regular file")
            descriptor = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        finally:
            os.close(handle)
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the contents of ``path``, None if it is not there. Raises InventoryError: unreadable, or too large."""
        try:
            with self.open(path) as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InventoryError(f"{self.place(path)} cannot be read: {error.strerror}") from error
        if len(data) > limit:
            raise InventoryError(f"{self.place(path)}: over {limit} bytes")
        return data

    def names(self, path: str, limit: int) -> list[str]:
        """Return the sorted names in the directory ``path``, none if there is no such one. Raises InventoryError."""
        try:
            handle = self.handle(path, os.O_DIRECTORY)
        except OSError:
            return []
        try:
            found = sorted(os.listdir(f"/proc/self/fd/{handle}"))
        except OSError as error:
            raise InventoryError(f"{self.place(path)} cannot be read: {error.strerror}") from error
        finally:
            os.close(handle)
        if len(found) > limit:
            raise InventoryError(f"{self.place(path)}: over {limit} entries")
        return found

    def place(self, path: str) -> str:
        """Return ``path`` as messages name it."""
        return escape(f"{self.path.rstrip('/')}/{path.lstrip('/')}")

    def canonical(self, path: str) -> str:
        """Return the absolute ``path`` with every link in its directories resolved, as the kernel would name it.

        The last component stays: it is the file a package put there, link or not.
        """
        directory, _, name = path.rpartition("/")
        return f"{self._directory_name(directory)}/{name}"

    def _directory_name(self, directory: str) -> str:
        known = self._resolved.get(directory)
        if known is None:
            known = self._resolve(directory)
            if len(self._resolved) < MAX_RESOLVED:
                self._resolved[directory] = known
        return known

    def _resolve(self, directory: str) -> str:
        """Follow ``directory`` part by part; a loop ends as the name that was given."""
        above, _, name = directory.rpartition("/")
        done, left = (self._resolved[above], name) if above in self._resolved else ("", directory)
        waiting, links = [part for part in reversed(left.split("/")) if part], 0
        while waiting:
            part = waiting.pop()
            if part in (".", ".."):
                done = done.rpartition("/")[0] if part == ".." else done
                continue
            target = self._link(done, part)
            if target is None:
                done = f"{done}/{part}"
                continue
            links += 1
            if links > MAX_LINKS or len(target) > MAX_PATH:
                return directory
            done = "" if target.startswith("/") else done
            waiting += [one for one in reversed(target.split("/")) if one]
        return done

    def _link(self, directory: str, name: str) -> str | None:
        """What the link ``name`` says, None if it is none."""
        try:
            handle = self.handle(directory, os.O_DIRECTORY)
        except OSError:
            return None
        try:
            return os.readlink(name, dir_fd=handle)
        except OSError:
            return None
        finally:
            os.close(handle)
