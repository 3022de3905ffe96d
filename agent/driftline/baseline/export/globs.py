"""Path patterns of a baseline as globs of other tools.

In: a pattern (``baseline.patterns.pattern``). Out: text in the syntax of the other tool that matches all the pattern
matches, and as little else as that syntax can. Why not one translation: in AppArmor ``*`` stays in its segment, in
fnmatch(3) without FNM_PATHNAME it does not. Next: ``apparmor``, ``kubearmor``, ``falco``, ``tetragon``.
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.baseline.patterns.pattern import CLASSES, DEEP, STAR, decode

_PLACES = {chr(0xD800 + place): name for place, name in enumerate(CLASSES)}  # as ``pattern.decode`` marks them
_GLOBS = {"pid": "[0-9]*", "num": "[0-9]*", "time": "[0-9]*", "hash": "[0-9A-Fa-f]*", "hex": "[0-9A-Fa-f]*"}
_GLOBS |= {"uuid": "[0-9A-Fa-f]*-*-*-*-*", "tmp": "?*"}
"""A class as a glob: how it begins, then anything. Wider than the class, never narrower."""


def is_literal(pattern: str) -> bool:
    """Whether ``pattern`` means one path."""
    return not any(char in _PLACES or char == STAR for char in decode(pattern))


def below(pattern: str) -> str | None:
    """Return the directory of a pattern that is ``DIRECTORY/**``, None for any other."""
    text = decode(pattern)
    if not text.endswith(f"/{DEEP}"):
        return None
    directory = text.removesuffix(f"/{DEEP}")
    return None if any(char in _PLACES or char == STAR for char in directory) else directory


def fixed_start(pattern: str) -> str:
    """Return the text every path under ``pattern`` begins with."""
    text = decode(pattern)
    ends = [place for place, char in enumerate(text) if char in _PLACES or char == STAR]
    return text[: ends[0]] if ends else text


def literal_text(pattern: str) -> str:
    """Return ``pattern`` without its classes and wildcards."""
    return "".join(char for char in decode(pattern) if char not in _PLACES and char != STAR)


def glob(pattern: str, literal: Callable[[str], str]) -> str:
    """Return ``pattern`` as a glob; ``literal`` escapes one character."""
    parts = []
    text = decode(pattern)
    for place, char in enumerate(text):
        if char == STAR:
            alone = text[place - 1 : place] == "/" and text[place + 1 : place + 2] in ("", "/")
            parts.append("?*" if alone else "*")  # alone it is no empty name; ``**`` is two of them
        elif char in _PLACES:
            parts.append(_GLOBS[_PLACES[char]])
        else:
            parts.append(literal(char))
    return "".join(parts)
