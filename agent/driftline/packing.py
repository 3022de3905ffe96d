"""msgpack, the agent's compact form for files and pipes between its processes.

In: plain values (dict, list, str, bytes, int, float, bool, None). Out: bytes, and back. Why here: the one importer of
msgpack, below every stage, so that baseline files and helper processes pack alike. Format: the msgpack specification.
Text that may hold undecodable bytes goes in as ``bytes`` (``os.fsencode``): msgpack's strings are strict UTF-8.
"""

from __future__ import annotations

from typing import cast

import msgpack


def pack(value: object) -> bytes:
    """Return the msgpack bytes of ``value``.

    Deterministic for equal values whose dicts were filled in the same order: callers that need one form for equal
    content build their dicts in a fixed order. Raises ValueError or TypeError for what msgpack cannot hold.
    """
    return cast(bytes, msgpack.packb(value, use_bin_type=True))


def unpack(data: bytes, limit: int) -> object:
    """Return the value packed in ``data``, at most ``limit`` bytes long.

    Raises ValueError for anything malformed, too long, too deeply nested, or followed by other bytes.
    """
    if len(data) > limit:
        raise ValueError(f"{len(data)} bytes, at most {limit} allowed")
    try:
        value: object = msgpack.unpackb(data, raw=False, strict_map_key=True)
    except ValueError:
        raise
    except Exception as error:  # msgpack's own exceptions are not all ValueErrors
        raise ValueError(f"not msgpack: {error}") from error
    return value
