"""Who decides, where nobody says it: the person at the terminal.

In: an option. Out: a name, for the history of a baseline or a silence. Next: whatever is decided.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

from driftline.errors import SettingsError

MAX_AUTHOR = 200
"""Characters of a name."""


def author_or_default(author: str) -> str:
    """Return ``author``, or else the name of the person at the terminal. Raises SettingsError."""
    if len(author) > MAX_AUTHOR:
        raise SettingsError(f"--author has at most {MAX_AUTHOR} characters, not {len(author)}")
    return author.strip() or os.environ.get("SUDO_USER") or os.environ.get("DOAS_USER") or _user_name()


def _user_name() -> str:
    """Who logged in, also after ``su``; else whom the process belongs to."""
    numbers: list[Callable[[], int]] = [lambda: int(Path("/proc/self/loginuid").read_text()), os.getuid]
    for number in numbers:
        try:
            return pwd.getpwuid(number()).pw_name
        except (OSError, ValueError, KeyError, OverflowError):
            continue  # no login, as in a container or a cron job; or a user without a name
    return f"uid {os.getuid()}"
