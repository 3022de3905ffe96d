"""What failed, and when it is tried again.

In: keys. Out: whether each is due, and how long until one is. Next: ``asking`` and ``telling``.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Generic, TypeVar

RETRY_SECONDS = 60.0
"""Until something that failed, or was not answered, is tried again."""

_Key = TypeVar("_Key")


class Again(Generic[_Key]):
    """Keys that are not due before a while; all others are at once."""

    def __init__(self) -> None:
        self._at: dict[_Key, float] = {}  # monotonic

    def later(self, key: _Key) -> None:
        """Let ``key`` be due after RETRY_SECONDS."""
        self._at[key] = time.monotonic() + RETRY_SECONDS

    def now(self, key: _Key) -> None:
        """Let ``key`` be due, or forget it."""
        self._at.pop(key, None)

    def keep_only(self, keys: Collection[_Key]) -> None:
        """Forget all others."""
        self._at = {key: at for key, at in self._at.items() if key in keys}

    def due(self, key: _Key) -> bool:
        """Whether ``key`` is due."""
        return self._at.get(key, 0.0) <= time.monotonic()

    def pause(self, keys: Iterable[_Key]) -> float | None:
        """Return the seconds until the first of ``keys`` is due; None if there are none."""
        soonest = min((self._at.get(key, 0.0) for key in keys), default=None)
        return None if soonest is None else max(0.0, soonest - time.monotonic())
