"""msgpack, the agent's compact form for files and pipes between its processes.

In: plain values (dict, list, str, bytes, int, float, bool, None). Out: bytes, and back. Why here: the one importer of
msgpack, below every stage, so that baseline files and helper processes pack alike. Format: the msgpack specification.
Text that may hold undecodable bytes goes in as ``bytes`` (``os.fsencode``): msgpack's strings are strict UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgpack

MAX_KEYS = 1_000
"""Keys of one map where collections are counted: our maps are records of some twenty fields."""


def pack(value: object) -> bytes:
    """Return the msgpack bytes of ``value``.

    Deterministic for equal values whose dicts were filled in the same order: callers that need one form for equal
    content build their dicts in a fixed order. Raises ValueError or TypeError for what msgpack cannot hold.
    """
    return cast(bytes, msgpack.packb(value, use_bin_type=True))


def unpack(data: bytes, limit: int, collections: int = 0) -> object:
    """Return the value packed in ``data``, at most ``limit`` bytes long.

    ``collections``: most lists and maps in it, and items of each (0: as many as fit), for what is packed in one byte
    takes sixty in memory; a map then has at most MAX_KEYS.
    Raises ValueError for anything malformed, too long, too many, too deeply nested, or followed by other bytes.
    """
    if len(data) > limit:
        raise ValueError(f"{len(data)} bytes, at most {limit} allowed")
    bounds = _counting(collections) if collections else {}
    try:
        value: object = msgpack.unpackb(data, raw=False, strict_map_key=True, **bounds)
    except ValueError:
        raise
    except Exception as error:  # msgpack's own exceptions are not all ValueErrors
        raise ValueError(f"not msgpack: {error}") from error
    return value


def _counting(most: int) -> dict[str, Callable[[object], object] | int]:
    """Options for msgpack to give up at one list or map more than ``most``, or one far longer than expected."""
    left = most

    def count(value: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"more than {most} lists and maps")
        return value

    return {"list_hook": count, "object_hook": count, "max_array_len": most, "max_map_len": MAX_KEYS}
