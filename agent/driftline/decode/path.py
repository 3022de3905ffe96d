"""Paths as the kernel side writes them: components leaf first, each ended by NUL.

In: bytes. Out: ``str`` with surrogateescape. Next: the hooks' decoders.
"""

from __future__ import annotations


def join(raw: bytes, truncated: bool) -> str:
    """The path. A truncated one lacks its outermost components and starts with ``…/``."""
    parts = raw.split(b"\0")
    parts.reverse()
    # the text ends in NUL, so the reversed list starts with an empty part: exactly the leading slash
    path = b"/".join(parts).decode("utf-8", "surrogateescape") or "/"
    return "…" + path if truncated else path


def text(raw: bytes) -> str:
    """A NUL-ended text."""
    return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")
