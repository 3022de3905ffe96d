"""Matcher: is this behaviour in the baseline? The hottest question of the agent.

In: behaviours, with their entries where their standing counts. Out: plain sets and dicts keyed by strings, read
directly by ``driftline.verdict`` without building a ``Behaviour`` first (making one costs more than the look-up). Why
not the baseline itself: an active baseline's statistics stay on disk; of 100 images only this remains in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Mapping

from driftline.baseline.patterns.addresses import is_host_name
from driftline.baseline.patterns.networks import Networks
from driftline.baseline.patterns.paths import DISK, stands_alone
from driftline.baseline.patterns.pattern import STAR, PatternError, decode, has_classes, plain
from driftline.baseline.patterns.tokens import WITH_NAME, canonical, shard_pattern, shards_above, temporary_pattern
from driftline.baseline.patterns.trie import Trie
from driftline.baseline.schema import REVIEWED, Entry, Standing
from driftline.nouns import EPHEMERAL, Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour

READ = 1
WRITE = 2
_BITS = READ | WRITE
_WRITTEN = 2  # bits of patterns a person wrote are kept once more, shifted by this
_EPHEMERAL_PORTS = range(32_768, 61_000)


class Matcher:
    """Look-ups of one baseline. Only what is ALLOWED is in; what is UNCONFIRMED has a matcher of its own.

    ``opens``: raw path → ``READ`` and ``WRITE`` bits; patterns are behind ``open_bits``. ``loads``: paths of the
    image's files. ``execs``: (path, invoked, by, entered) of the image's files; ``programs``: (path, invoked) of them,
    whoever ran them. ``foreign``, ``foreign_loads``: of files with another origin. ``connects``: (protocol, address,
    port); ``connects_to`` also knows networks and ephemeral ports. ``pending`` needs review, ``rejected`` was refused.
    ``disks``: opened paths where a raw disk is expected too, not just a file.
    Texts are interned: a hundred images share libc's name.
    """

    __slots__ = (
        "_classes",
        "_folds",
        "_mixed",
        "_networks",
        "_shard_folds",
        "_shards",
        "_temporary",
        "_written",
        "connects",
        "disks",
        "execs",
        "foreign",
        "foreign_loads",
        "loads",
        "opens",
        "pending",
        "programs",
        "rejected",
        "unconfirmed",
        "version",
    )

    def __init__(self, entries: Mapping[Behaviour, Entry] | Iterable[Behaviour] = (), version: str = "") -> None:
        self.version = version
        self.opens: dict[str, int] = {}
        self.loads: set[str] = set()
        self.disks: frozenset[str] = frozenset()
        self.connects: set[tuple[str, str, int]] = set()
        self.execs: set[tuple[str, str, str, bool]] = set()
        self.programs: set[tuple[str, str]] = set()
        self.foreign: set[ExecBehaviour] = set()
        self.foreign_loads: set[LoadBehaviour] = set()
        self.unconfirmed: Matcher | None = None
        self.pending: frozenset[Behaviour] = frozenset()
        self.rejected: frozenset[Behaviour] = frozenset()
        self._classes: dict[str, int] = {}  # patterns of classes alone → bits
        self._shards: dict[str, int] = {}  # patterns of directories that may be listed for the files in them → bits
        self._shard_folds: Trie | None = None  # those of them with wildcards
        self._folds: Trie | None = None  # patterns with wildcards
        self._mixed = False  # whether any of those has classes as well
        self._temporary = False  # whether any of ``_classes`` ends with a name made anew
        self._networks: Networks | None = None
        self._written = False  # whether any pattern is a person's
        if isinstance(entries, Mapping):
            self._take(entries)
        else:
            for behaviour in entries:
                self.add(behaviour)

    def _take(self, entries: Mapping[Behaviour, Entry]) -> None:
        apart: dict[Standing, list[Behaviour]] = {standing: [] for standing in Standing}
        for behaviour, entry in entries.items():
            if entry.standing is Standing.ALLOWED:
                self.admit(behaviour, entry.source == REVIEWED, entry.checks)
            elif entry.standing is Standing.UNCONFIRMED:
                self.expect_quietly(behaviour)
            else:
                apart[entry.standing].append(behaviour)
        self.pending = frozenset(apart[Standing.NEEDS_REVIEW])
        self.rejected = frozenset(apart[Standing.REJECTED])

    def admit(self, behaviour: Behaviour, written: bool, checks: Container[str]) -> None:
        """Expect what is ALLOWED; ``checks`` it failed before a person allowed it say whether a raw disk is meant."""
        self.add(behaviour, written)
        if isinstance(behaviour, OpenBehaviour) and _is_disk(behaviour.path, written, checks):
            self.disks |= {behaviour.path}

    def expect_quietly(self, behaviour: Behaviour) -> None:
        """Put ``behaviour`` among the ``unconfirmed``."""
        if self.unconfirmed is None:
            self.unconfirmed = Matcher(version=self.version)
        self.unconfirmed.add(behaviour)

    def add(self, behaviour: Behaviour, written: bool = False) -> None:
        """Expect ``behaviour`` from now on; ``written``: a person wrote it, so its pattern holds for any file."""
        if isinstance(behaviour, OpenBehaviour):
            self.add_open(behaviour.path, WRITE if behaviour.access == "write" else READ, written)
        elif isinstance(behaviour, ExecBehaviour):
            if behaviour.origin:
                self.foreign.add(behaviour)
            else:
                self.add_exec(behaviour.path, behaviour.invoked, behaviour.by, behaviour.entered)
        elif isinstance(behaviour, LoadBehaviour):
            if behaviour.origin:
                self.foreign_loads.add(behaviour)
            else:
                self.loads.add(sys.intern(behaviour.path))
        else:
            self.add_connect(behaviour.protocol, behaviour.address, behaviour.port)

    def add_exec(self, path: str, invoked: str, by: str, entered: bool) -> None:
        """Expect an exec of an image's file."""
        path, invoked = sys.intern(path), sys.intern(invoked)
        self.execs.add((path, invoked, sys.intern(by), entered))
        self.programs.add((path, invoked))

    def add_connect(self, protocol: str, address: str, port: int) -> None:
        """Expect a connect."""
        self.connects.add((sys.intern(protocol), sys.intern(address), port))
        if "/" in address and protocol != "unix":
            if self._networks is None:
                self._networks = Networks()
            self._networks.add(protocol, address, port)

    def add_open(self, path: str, bits: int, written: bool = False) -> None:
        """Expect opens that fall under the pattern ``path``; malformed text (no document holds any) means itself."""
        raw = plain(path)
        if raw is path:  # nothing in it is special
            self._add_literal(raw, bits)
            return
        try:
            text = decode(path)
        except PatternError:
            raw = text = path
        if raw is not None:
            self._add_literal(raw, bits)
            return
        bits |= bits << _WRITTEN if written else 0
        self._written = self._written or written
        for directory in shards_above(path):
            self._add_shard(directory, READ | READ << _WRITTEN if written else READ)
        if STAR not in text:
            self._classes[path] = self._classes.get(path, 0) | bits
            self._temporary = self._temporary or path.endswith(WITH_NAME)
            return
        if self._folds is None:
            self._folds = Trie()
        self._folds.add(text, bits)
        self._mixed = self._mixed or has_classes(text)

    def _add_shard(self, directory: str, bits: int) -> None:
        text = decode(directory)
        if STAR not in text:
            self._shards[directory] = self._shards.get(directory, 0) | bits
            return
        if self._shard_folds is None:
            self._shard_folds = Trie()
        self._shard_folds.add(text, bits)

    def _add_literal(self, path: str, bits: int) -> None:
        path = sys.intern(path)
        self.opens[path] = self.opens.get(path, 0) | bits

    def open_bits(self, path: str, image: bool, wanted: int = WRITE, listing: bool = False) -> int:
        """Which of ``READ`` and ``WRITE`` (it covers the read) of the raw ``path`` are expected.

        ``image``: the file is the image's own; then only literals count, and patterns a person wrote. ``wanted``: READ
        if a write does not matter; looking ends where it is found. ``listing``: it is a directory, opened for reading;
        those a cache sorts its files into (``tokens.shard_pattern``) may be listed if the files are expected.
        """
        enough = _BITS if wanted == READ else WRITE
        bits = self.opens.get(path, 0)
        if image and not self._written:
            return bits
        folds = self._folds
        if folds is not None and not bits & enough and (found := folds.worth(path)):
            bits |= _folded(found, path, image)
        if bits & enough or not (self._classes or self._mixed):
            return bits
        text = canonical(path)
        if text is not path:
            if found := self._classes.get(text, 0):
                bits |= _counted(found, image)
            if folds is not None and self._mixed and not bits & enough:  # all other folds were asked about ``path``
                bits |= _folded(folds.worth(decode(text)), path, image)
        if self._temporary and not bits & enough:
            bits |= _counted(self._classes.get(temporary_pattern(path), 0), image)
        return self._shard_bits(path, image) if listing and not bits else bits

    def _shard_bits(self, path: str, image: bool) -> int:
        """``READ`` if the directory may be listed for the files that are expected in it."""
        if not self._shards and self._shard_folds is None:
            return 0
        text = shard_pattern(path)
        bits = _counted(self._shards.get(text, 0), image)
        if not bits and self._shard_folds is not None:
            bits = _folded(self._shard_folds.worth(decode(text)), path, image)
        return bits

    def connects_to(self, protocol: str, address: str, port: int, names: Iterable[str] = ()) -> bool:
        """Whether a connect is expected, by its folded ``address``, one of its ``names``, or a network it is in."""
        ports = (port, EPHEMERAL) if port in _EPHEMERAL_PORTS else (port,)
        for wanted in ports:
            if (protocol, address, wanted) in self.connects:
                return True
            for name in names:
                if is_host_name(name) and self._names(protocol, name, wanted):
                    return True
        return self._networks is not None and any(self._networks.holds(protocol, address, each) for each in ports)

    def _names(self, protocol: str, name: str, port: int) -> bool:
        """Whether a host name is expected, by itself or by its zone ``*.PARENT``."""
        zone = f"*.{name.partition('.')[2]}"
        return (protocol, name, port) in self.connects or (protocol, zone, port) in self.connects

    def __contains__(self, behaviour: Behaviour) -> bool:
        """Whether everything that falls under ``behaviour`` is expected."""
        if isinstance(behaviour, OpenBehaviour):
            bits = self._bits_of(behaviour.path)
            return bool(bits & WRITE if behaviour.access == "write" else bits)
        if isinstance(behaviour, ExecBehaviour):
            if behaviour.origin:
                return behaviour in self.foreign
            return (behaviour.path, behaviour.invoked, behaviour.by, behaviour.entered) in self.execs
        if isinstance(behaviour, LoadBehaviour):
            return behaviour in self.foreign_loads if behaviour.origin else behaviour.path in self.loads
        return self._holds_connect(behaviour)

    def _holds_connect(self, behaviour: ConnectBehaviour) -> bool:
        if (behaviour.protocol, behaviour.address, behaviour.port) in self.connects:
            return True
        return self.connects_to(behaviour.protocol, behaviour.address, behaviour.port, (behaviour.address,))

    def _bits_of(self, pattern: str) -> int:
        """Bits of all paths under ``pattern``; wildcards in it are covered by equal or wider ones only."""
        raw = plain(pattern)
        if raw is not None:
            return self.open_bits(raw, False)
        try:
            text = decode(pattern)
        except PatternError:
            return self.opens.get(pattern, 0)
        folds = self._folds.worth(text) if self._folds is not None else 0
        return _counted(self._classes.get(pattern, 0) | folds, False)


def _is_disk(path: str, written: bool, checks: Container[str]) -> bool:
    """Whether a person allowed a raw disk there: approved what failed that check, or wrote its name."""
    return DISK.check in checks or (written and path.startswith("/dev/"))


def _folded(bits: int, path: str, image: bool) -> int:
    """What a wildcard's ``bits`` are worth for the raw ``path``.

    One that nobody wrote says nothing of a path whose very name matters: a key, code, a hidden file.
    """
    return _counted(bits, image or stands_alone(path)) if bits else 0


def _counted(bits: int, only_written: bool) -> int:
    return (bits >> _WRITTEN if only_written else bits) & _BITS
