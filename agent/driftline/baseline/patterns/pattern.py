"""Path patterns: what ``OpenBehaviour.path`` may say, and what it means.

In: pattern text, paths. Out: whether it is well formed, narrow enough, and whether a path falls under it. Why apart:
writing, checking and reading a pattern must agree; ``matches`` is the slow definition the matcher is tested against.
Next: ``matching`` and ``trie``, which answer the same in microseconds.

Syntax: literal text, in which ``\\``, ``{``, ``}`` and ``*`` carry a backslash before them; token classes ``{num}``…
(``tokens`` says what falls under each); ``*`` for any part of one segment, alone for any one segment; ``/**`` at the
end for everything below, at any depth (not the directory itself), as in gitignore(5).

A pattern is compared with the path as it is, and with the path after its tokens were put in: a class only stands for
what ``tokens.canonical`` finds, wherever in the pattern it is.
"""

from __future__ import annotations

import re

from driftline.text import escape

CLASSES = ("pid", "uuid", "hex", "num", "time", "hash", "tmp")
"""Token classes, as in ``tokens``."""
MAX_WILDCARDS = 8
"""``*`` in one pattern: no directory tree is told apart by more, and each makes the matcher look twice."""

STAR = "\ud8ff"
DEEP = STAR + STAR
_MARKS = {name: chr(0xD800 + place) for place, name in enumerate(CLASSES)}
"""Decoded, a class or wildcard is one surrogate: text from the kernel never holds one below U+DC80."""

_SHOWN = 20  # characters of what is malformed
_SPECIAL = re.compile(r"[\\{}*]")
_TOKEN = re.compile(r"\\([\\{}*])|\{([a-z]+)\}|(\*+)|[\\{}]")
_CLASS = re.compile(f"[{_MARKS[CLASSES[0]]}-{_MARKS[CLASSES[-1]]}]")
_MARK = re.compile(f"[{_MARKS[CLASSES[0]]}-{STAR}]")

_NAME = "\0"  # stands for a name only a wildcard can mean: no path holds NUL
_TREES = """
/bin /boot /dev /etc /etc/ssl/private /etc/ssh /home/? /home/?/.ssh /lib /lib32 /lib64 /libx32
/proc /proc/? /proc/1 /proc/{pid} /proc/self /root /root/.ssh /sbin /sys
/run/secrets /run/secrets/kubernetes.io/serviceaccount /var/run/secrets /var/run/secrets/kubernetes.io/serviceaccount
/usr /usr/bin /usr/lib /usr/lib64 /usr/libexec /usr/local/bin /usr/local/lib /usr/local/sbin /usr/sbin
/var /var/lib/dpkg /var/lib/etcd /var/lib/kubelet /var/spool/cron"""
SENSITIVE_TREES = tuple(_TREES.split())
"""Directories no one pattern may open as a whole: code, accounts, secrets, other processes. ``?`` is any name."""


class PatternError(ValueError):
    """Text is no pattern, or one too wide to mean anything; the message says where and why."""


def literal(path: str) -> str:
    """Return the pattern that matches ``path`` and nothing else."""
    return _SPECIAL.sub(r"\\\g<0>", path) if _SPECIAL.search(path) else path


def plain(pattern: str) -> str | None:
    """Return the one path ``pattern`` matches; None if it has classes or wildcards, or is malformed."""
    if not _SPECIAL.search(pattern):
        return pattern
    try:
        text = decode(pattern)
    except PatternError:
        return None
    return None if _MARK.search(text) else text


def is_pattern(text: str) -> bool:
    """Whether ``text`` is more than one path: it has classes or wildcards (or is malformed)."""
    return plain(text) is None


def has_wildcards(pattern: str) -> bool:
    """Whether ``pattern`` has a ``*`` that is no literal one. Raises PatternError."""
    return "*" in pattern and STAR in decode(pattern)


def has_classes(text: str) -> bool:
    """Whether the decoded ``text`` has token classes."""
    return _CLASS.search(text) is not None


def decode(pattern: str) -> str:
    """Return ``pattern`` with escapes undone and each class, ``*`` (``STAR``) and ``**`` (``DEEP``) as surrogates.

    Raises PatternError for malformed text.
    """
    if not _SPECIAL.search(pattern):
        return pattern
    text = _TOKEN.sub(_decoded, pattern)
    place = text.find(DEEP)
    if place >= 0 and (text[place - 1 : place] != "/" or place + 2 != len(text)):
        raise PatternError("** stands for whole segments, after the last /")
    return text


def _decoded(match: re.Match[str]) -> str:
    escaped, name, stars = match.groups()
    if escaped:
        return str(escaped)
    if stars and len(stars) <= 2:
        return STAR * len(stars)
    if name in _MARKS:
        return _MARKS[name]
    known = ", ".join(f"{{{each}}}" for each in CLASSES)
    raise PatternError(
        f"{match[0]!r} at offset {match.start()}: write \\\\ \\{{ \\}} \\* for the character, or {known}"
    )


def check(pattern: str) -> None:
    """Raise PatternError for what a person should not have written: malformed, relative, ``..``, control characters
    left unescaped, or too wide (``check_width``)."""
    if not pattern.startswith("/"):
        raise PatternError("a path begins with /")
    if escape(pattern).replace("\\\\", "\\") != pattern:
        raise PatternError("it holds characters that cannot be printed: write them as \\xNN or \\u{N}")
    check_steps(pattern)
    check_width(pattern)


def check_steps(path: str) -> None:
    """Raise PatternError for ``..`` in ``path``: the kernel resolves it, so it can only mislead a reader."""
    if ".." in path and ".." in path.split("/"):
        raise PatternError("it goes up with ..; the kernel tells resolved paths, write the path it leads to")


def check_width(pattern: str) -> None:
    """Raise PatternError if ``pattern`` is malformed, has too many wildcards, or opens a whole sensitive tree."""
    text = decode(pattern)
    if STAR not in text:
        return
    if text.count(STAR) > MAX_WILDCARDS:
        raise PatternError(f"more than {MAX_WILDCARDS} wildcards")
    first = text.split("/")[1] if text.startswith("/") else STAR
    if STAR in first:
        raise PatternError("a wildcard in its first segment would match nearly everything: begin with a directory")
    for tree in SENSITIVE_TREES:
        if matches_decoded(text, f"{decode(tree.replace('?', _NAME))}/{_NAME}"):
            raise PatternError(
                f"it would match everything in {tree.replace('?', '*')}: name the files, or a part of it"
            )


def matches(pattern: str, path: str) -> bool:
    """Whether the raw ``path`` falls under ``pattern``: the definition. Raises PatternError for malformed text."""
    from driftline.baseline.patterns.tokens import canonical  # which writes its result with ``literal``

    text = decode(pattern)
    return matches_decoded(text, path) or matches_decoded(text, decode(canonical(path)))


def matches_decoded(pattern: str, path: str) -> bool:
    """The same of a decoded pattern and one decoded path."""
    wanted, given = pattern.split("/"), path.split("/")
    if wanted[-1] == DEEP:
        wanted.pop()
        if len(given) <= len(wanted):
            return False
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(map(_segment_matches, wanted, given))


def _segment_matches(wanted: str, given: str) -> bool:
    """One segment, by trying each length a ``*`` can stand for, the shortest first; ``*`` alone is no empty name."""
    if wanted == STAR:
        return bool(given)
    before, star, after = wanted.partition(STAR)
    if not star:
        return wanted == given
    if not given.startswith(before):
        return False
    rest = given[len(before) :]
    return any(_segment_matches(after, rest[start:]) for start in range(len(rest) + 1)) if after else True
