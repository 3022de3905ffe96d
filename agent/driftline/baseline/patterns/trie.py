"""Path patterns with wildcards as a trie of segments: time grows with the path's segments alone.

In: decoded patterns (``pattern.decode``) and what each is worth. Out: what the patterns a path falls under are worth
together. Why no regular expression: those backtrack, and one per directory would be tried in turn. Wildcard segments
are found by what stands before their first ``*``, then by what stands after their last: one look-up per distinct
length, so that a thousand ``NAME-*.log`` beside each other cost as much as a few. Next: ``matching``.
"""

from __future__ import annotations

from driftline.baseline.patterns.pattern import DEEP, STAR


class _Endings:
    """The wildcard segments that begin alike: what is between their wildcards and where they lead, by their end."""

    __slots__ = ("found", "lengths")

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[tuple[str, ...], Trie]]] = {}
        self.lengths: tuple[int, ...] = ()  # of the keys of ``found``


class Trie:
    """One directory level of the patterns. ``worth`` is a set of bits, joined with ``|``."""

    __slots__ = ("_deep", "_here", "_lengths", "_names", "_wild")

    def __init__(self) -> None:
        self._here = 0  # worth of the patterns that end here
        self._deep = 0  # of those that go on with **
        self._names: dict[str, Trie] | None = None
        self._wild: dict[str, _Endings] | None = None  # by what stands before the first wildcard
        self._lengths: tuple[int, ...] = ()  # of the keys of ``_wild``

    def add(self, pattern: str, worth: int) -> None:
        """Let paths under the decoded ``pattern`` be worth ``worth`` as well."""
        node, segments = self, pattern.split("/")
        for segment in segments[:-1]:
            node = node._child(segment)
        if segments[-1] == DEEP:
            node._deep |= worth
        else:
            node._child(segments[-1])._here |= worth

    def _child(self, segment: str) -> Trie:
        if STAR in segment:
            return self._wild_child(segment)
        if self._names is None:
            self._names = {}
        return self._names.setdefault(segment, Trie())

    def _wild_child(self, segment: str) -> Trie:
        before, *middles, after = segment.split(STAR)
        if self._wild is None:
            self._wild = {}
        endings = self._wild.setdefault(before, _Endings())
        siblings = endings.found.setdefault(after, [])
        for known, child in siblings:
            if known == tuple(middles):
                return child
        siblings.append((tuple(middles), Trie()))
        endings.lengths = _with(endings.lengths, len(after))
        self._lengths = _with(self._lengths, len(before))
        return siblings[-1][1]

    def worth(self, path: str) -> int:
        """What the patterns the decoded ``path`` falls under are worth, 0 if there are none."""
        worth, nodes = 0, [self]
        for segment in path.split("/"):
            following: list[Trie] = []
            for node in nodes:
                worth |= node._deep
                if node._names is not None and (child := node._names.get(segment)) is not None:
                    following.append(child)
                if node._wild is not None and segment and segment != DEEP:
                    _follow(node._wild, node._lengths, segment, following)
            if not following:
                return worth
            nodes = following
        for node in nodes:
            worth |= node._here
        return worth


def _follow(wild: dict[str, _Endings], lengths: tuple[int, ...], segment: str, following: list[Trie]) -> None:
    """Append the children ``segment`` leads to by wildcards."""
    for before in lengths:
        endings = wild.get(segment[:before])
        if endings is not None and before <= len(segment):
            _ending(endings, segment, before, following)


def _with(lengths: tuple[int, ...], length: int) -> tuple[int, ...]:
    return lengths if length in lengths else (*lengths, length)


def _ending(endings: _Endings, segment: str, start: int, following: list[Trie]) -> None:
    """Append where ``segment``, begun alike up to ``start``, leads."""
    for after in endings.lengths:
        end = len(segment) - after
        if end < start:
            continue
        for middles, child in endings.found.get(segment[end:], ()):
            if not middles or _in_order(middles, segment, start, end):
                following.append(child)


def _in_order(middles: tuple[str, ...], segment: str, start: int, end: int) -> bool:
    """Whether ``middles`` occur in this order; the leftmost place of each leaves most room for the next."""
    for middle in middles:
        place = segment.find(middle, start, end)
        if place < 0:
            return False
        start = place + len(middle)
    return True
