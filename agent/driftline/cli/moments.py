"""Moments in the future, as people write them.

In: ``30d``, ``12h``, ``2027-01-31``, ``never``. Out: Unix time. Next: whatever expires.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from driftline.errors import SettingsError
from driftline.text import escape

NS = 1_000_000_000
UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
MAX_SECONDS = 100 * 366 * 86_400
"""A hundred years: what is further away is a slip, or "never"."""

_SPAN = re.compile(r"([0-9]{1,9})([mhdw])")
HINT = "30d, 12h, a date like 2027-01-31, or never"


def expiry(text: str, now_ns: int) -> int:
    """Return the moment ``text`` means, Unix ns; 0 for never. A date ends when it ends, in UTC.

    Raises SettingsError for anything else, and for a moment that is over.
    """
    if text == "never":
        return 0
    if match := _SPAN.fullmatch(text):
        seconds = int(match[1]) * UNITS[match[2]]
        if 0 < seconds <= MAX_SECONDS:
            return now_ns + seconds * NS
    try:
        until = int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) + UNITS["d"]
    except ValueError:
        raise SettingsError(f"--expires {escape(text)!r} is no moment", HINT) from None
    if not 0 < until * NS - now_ns <= MAX_SECONDS * NS:
        raise SettingsError(f"--expires {escape(text)} is over, or too far away", HINT)
    return until * NS
