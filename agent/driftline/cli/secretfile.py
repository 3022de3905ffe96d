"""New files that hold a secret.

In: a path where nothing is. Out: an open file, mode 0600 from its first moment, gone again if its content could not be
made. Why never over an old one: a key or token that is in use must not vanish by a slip. Next: ``certs``, ``tokens``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from driftline.errors import SettingsError
from driftline.text import escape

SECRET, PUBLIC = 0o600, 0o644


@contextmanager
def write_new(path: Path, mode: int = SECRET) -> Iterator[BinaryIO]:
    """Yield ``path`` as a new file. Raises SettingsError if it exists or cannot be made."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise SettingsError(f"{escape(str(path))} exists already", "remove it first, or choose another name") from None
    except OSError as error:
        raise SettingsError(f"{escape(str(path))} cannot be written: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise SettingsError(f"{escape(str(path))} cannot be written: {error.strerror}") from error
        raise
