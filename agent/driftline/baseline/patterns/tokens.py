"""Path → pattern: the parts of a name that are made anew each time become token classes.

In: a raw path. Out: pattern text (``pattern``), the path itself if nothing in it is such a part. Why by the path alone:
learning and judging must say the same of equal paths, whatever was seen before. Why these classes: each stands for a
scheme of a real program; docs/generalisation.md lists them. Next: ``behaviour`` while learning, ``matching`` while
judging; ``folding`` for names people choose.

The order of the alternatives counts: at one place the first that fits wins, and the leftmost place wins over all. Every
run is looked at from its left border only, so the time grows with the length of the path.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from driftline.baseline.patterns.paths import is_telling

_HINT = re.compile(r"[0-9A-Z\\{}*]")  # one set: searched at some ns a character

_LEFT, _RIGHT, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])", r"(?![^/])"


def _named(scheme: str, text: str) -> str:
    """``text``, an alternative with a name. The group is empty and at its end, which is enough for ``lastgroup``: where
    an alternative begins with a character, ``re`` skips it without a try, and a group would hide that character."""
    return rf"{text}(?P<{scheme}>)"


_SPECIAL = _named("special", r"[\\{}*]")
_UUID = _named("uuid", rf"[0-9A-Fa-f][0-9A-Fa-f]{{7}}(?:-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}}{_RIGHT}")
_SIZES = "|".join(f"[0-9a-f]{{{size}}}|[0-9A-F]{{{size}}}" for size in (128, 64, 40, 32))
_HASH = _named("hash", rf"(?=[0-9A-Fa-f]{{32}})(?:{_SIZES}){_RIGHT}")  # hex digits of SHA-512, SHA-256, SHA-1, MD5
_SMALL, _LARGE = (f"(?=[{of}]*+[0-9])(?=[0-9]*+[{of}])[0-9{of}]{{8,}}+" for of in ("a-f", "A-F"))
_HEX = _named("hex", rf"(?=[0-9A-Fa-f]{{8}})(?:{_SMALL}|{_LARGE}|[0-9a-f]{{16,}}+|[0-9A-F]{{16,}}+){_RIGHT}")
_SHARD = _named("shard", rf"(?<=/)[0-9a-f]{{1,3}}+(?=(?:/[0-9a-f]{{1,3}}){{0,3}}/[0-9a-f]{{16,}}{_RIGHT})")

# The kubelet swaps such a directory in for each update of a ConfigMap, Secret or token (AtomicWriter in
# kubernetes/pkg/volume/util/atomic_writer.go).
_SWAPPED = _named("swapped", rf"(?<=/\.\.)[0-9]{{4}}(?:_[0-9]{{2}}){{5}}\.[0-9]+{_END}")
_PYC = _named("pyc", rf"(?<=\.pyc\.)[0-9]+{_END}")  # importlib's temporary name (_write_atomic)


def _time(name: str) -> str:
    """A date, perhaps with the time of day, as ISO 8601 and logrotate write them, separators as people like them."""
    date = rf"(?:19|20)[0-9]{{2}}(?P<{name}_>[-_]?)(?:0[1-9]|1[0-2])(?P={name}_)(?:0[1-9]|[12][0-9]|3[01])"
    clock = r"[T_.-]?[0-9]{2}[:_.-]?[0-9]{2}(?:[:_.-]?[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
    return _named(name, rf"{date}(?:{clock})?{_RIGHT}")


_PAIR = _named(
    "pair", rf"(?<=/)[0-9]{{3,}}+\.[0-9]{{1,4}}{_END}"
)  # PostgreSQL's further segments of a relation, 16384.1
# nginx puts 0000000023 into 3/02/ (ngx_create_temp_file)
_SERIAL = rf"(?<=/)[0-9]{{1,2}}+(?=(?:/[0-9]{{1,2}}){{0,2}}/0[0-9]{{9}}{_END})"
_TEMPORARY = rf"(?:(?<=temp[-_.])|(?<=tmp[-_.])|(?<=rewriteaof-)|(?<=aof-bg-))[0-9]+{_RIGHT}"  # Redis: temp-21.rdb
_TEMPORARY += r"|(?<=\.aof\.)[0-9]+(?=\.(?:base|incr)\.)"
_ROTATED = rf"(?<=[A-Za-z]\.)[0-9]{{1,2}}(?=(?:\.(?:gz|xz|bz2|zst))?{_END})"  # logrotate: access.log.2.gz
_LONG_RUN = rf"(?<![0-9]\.)[0-9]{{3,15}}+{_RIGHT}(?!\.[0-9])"  # never a part of a version 1.24.300
_DATABASE = (
    r"(?<=/base/)[0-9]{1,2}(?=/(?:t?[0-9]|pg_|PG_))"  # PostgreSQL: base/5/16384, the first ones have short numbers
)
_TERMINAL = rf"(?<=/dev/pts/)[0-9]+{_END}"  # the node's, mounted somewhere; its own is a plain device
_NUM = _named("num", rf"(?:{_SERIAL}|{_TEMPORARY}|{_ROTATED}|{_LONG_RUN}|{_DATABASE}|{_TERMINAL})")

_TMP = (
    _named("tempfile", rf"tmp[a-z0-9_]{{8}}{_RIGHT}"),  # Python's
    _named("mktemp", rf"tmp\.[0-9A-Za-z]{{10}}{_END}"),  # mktemp(1)
    _named("sed", rf"s(?<=/s)ed[0-9A-Za-z]{{6}}{_END}"),  # sed -i
    _named("aptcache", rf"(?<=pkgcache\.bin\.)[0-9A-Za-z]{{6}}{_END}"),  # apt's two caches, made anew by its daily job
    _named("nfs", rf"n(?<=/\.n)fs[0-9a-f]{{16,32}}{_END}"),  # removed while open on NFS
    _named("session", rf"s(?<=/s)ess_[0-9A-Za-z,-]{{22,256}}{_END}"),  # PHP
    _named("sort", rf"t(?<=pgsql_t)mp[0-9]+\.[0-9]+{_RIGHT}"),  # PostgreSQL, pgsql_tmp123.4.fileset/o5of16.p0.0 as well
    _named("backend", rf"t(?<=/t)[0-9]{{1,6}}(?=_[0-9]{{3,}}(?:_[a-z]+)?{_END})"),  # its temporary tables: t3_16395
    _named("jvm", rf"h(?<=/h)sperfdata_[0-9A-Za-z_.-]{{1,32}}/[0-9]+{_END}"),  # Java's counters, by user and process
    _named("sorted", rf"(?<=\.fileset/)[io]?[0-9]+(?:of[0-9]+)?\.(?:p[0-9]+\.)?[0-9]+{_END}"),
    _named("mkstemp", rf"(?:(?<=[-_.])|(?<=/tmp/))(?:[0-9A-Za-z]{{6}}|[0-9A-Za-z]{{8}}|[0-9A-Za-z]{{10}}){_END}"),
)
_OF_DIGITS = "|".join((_SWAPPED, _time("time"), _PAIR, _NUM))
_BORDERED = "|".join((_UUID, _HASH, _SHARD, f"(?=[0-9])(?:{_OF_DIGITS})", _HEX, *_TMP))
# Java's Files.createTempFile: 64 random bits right after the prefix, which have fewer digits once in 18 million times
_LONG = _named("long", rf"[0-9]{{13,20}}{_RIGHT}")
_ANYWHERE = re.compile(rf"{_SPECIAL}|{_LEFT}(?:{_BORDERED})|(?<=[A-Za-z])(?:(?=[12]){_time('stamp')}|{_LONG})")

# The same for nearly every path, at a quarter of the cost: the search jumps from border to border, and of the words it
# finds there looks closer only at those that any scheme could begin with.
_WORTH = r"(?=[a-z]*+[0-9A-Z]|tmp|sed|nfs|sess_|hsperfdata_|[0-9a-f]{8}|[0-9a-f]{1,3}/)"
_BORDERS = re.compile(rf"[^0-9A-Za-z]{_WORTH}(?:{_BORDERED})")
_JOINED = re.compile(r"[A-Za-z][0-9](?:[09][0-9]{2}|[0-9]{12})")  # digits right after a letter: no border there

_PIDS = _named("pid", rf"(?:(?<=/proc/)|(?<=/task/))[0-9]+{_END}")
_SLOTS = _named("slot", rf"(?:(?<=/fd/)|(?<=/fdinfo/))[0-9]+{_END}")
_MAPPED = _named("mapped", rf"(?<=/map_files/)[0-9a-f]+-[0-9a-f]+{_END}")

_IN_PROC = re.compile(r"/proc/[0-9]+/")  # the node's /proc, mounted at /host/proc

_TELLING = re.compile("|".join((_SPECIAL, _SWAPPED, _PYC)))
_PROCFS = re.compile("|".join((_SPECIAL, _PIDS, _SLOTS, _MAPPED, f"{_LEFT}(?:{_UUID}|{_HASH})")))
_DEVICES = re.compile("|".join((_SPECIAL, f"{_LEFT}(?:{_UUID}|{_HASH})")))

_PROC_SECRETS = ("/environ", "/mem")
"""Secrets in which the number is no part of what they are: whichever process it is of, it is the same secret."""
_MIXTURE = 2
"""Changes between lower case, upper case and digits that make six characters look random: ``sha256`` has one."""

_CLASSES = {
    "aptcache": (0, "{tmp}"),
    "backend": (1, "{num}"),
    "hash": (0, "{hash}"),
    "hex": (0, "{hex}"),
    "long": (0, "{tmp}"),
    "mapped": (0, "{hex}-{hex}"),
    "mktemp": (4, "{tmp}"),
    "nfs": (3, "{tmp}"),
    "num": (0, "{num}"),
    "pair": (0, "{num}.{num}"),
    "pid": (0, "{pid}"),
    "pyc": (0, "{num}"),
    "sed": (3, "{tmp}"),
    "session": (5, "{tmp}"),
    "shard": (0, "{hex}"),
    "slot": (0, "{num}"),
    "sort": (3, "{num}.{num}"),
    "sorted": (0, "{tmp}"),
    "stamp": (0, "{time}"),
    "swapped": (0, "{time}"),
    "tempfile": (3, "{tmp}"),
    "time": (0, "{time}"),
    "uuid": (0, "{uuid}"),
}
"""What a scheme's name becomes: how many of its characters stay, and the class for the others."""

_TEMPORARY_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
"""Characters Python's ``tempfile`` makes names from, eight at a time (``_RandomNameSequence``)."""
_BEFORE_NAME = ("-", "_", ".", "/tmp/")
_SOME_NAME, WITH_NAME = "z0z0z0z0", "{tmp}"

_MAX_SHARD = 3
"""Characters of a directory's name, as in ``_SHARD``."""
_HEX_DIGITS = frozenset("0123456789abcdef")
_SOME_HASH, _WITH_HASH = "0" * 32, "/{hash}"
_SHARDS, _HASHED = ("{hex}", "*"), ("{hex}", "{hash}")


@lru_cache(maxsize=1)  # who judges a path asks, and who counts its deviation asks again
def canonical(path: str) -> str:
    """Return the pattern of the raw ``path``: token classes put in, all else literal; ``path`` itself if that is it.

    A path whose very name matters (``paths.is_telling``) keeps everything but what its owner is known to renew: the
    number of a process below /proc, the directory the kubelet swaps in, CPython's temporary name.
    """
    hint = _HINT.search(path)
    if hint is None and "tmp" not in path:
        return path
    rules = _rules(path, hint.start() if hint is not None else len(path))
    text = rules.sub(_replace_after_border if rules is _BORDERS else _replace, path)
    if text == path:
        return path
    return text if not is_telling(path) or _is_process(path) else _TELLING.sub(_replace, path)


def temporary_pattern(path: str) -> str:
    """Return the pattern of the raw ``path`` if its end could be a name of Python's ``tempfile``; "" if not.

    After a prefix of the program's own, as in ``wgunicorn-kmkzhj__``, or alone in a ``tmp``, where every program that
    uses the module first tries whether it may write. ``canonical`` cannot know: a third of these look like words."""
    name, above = path[-8:], path[:-8]
    if not above.endswith(_BEFORE_NAME) or not _TEMPORARY_NAME.issuperset(name) or is_telling(path):
        return ""
    return canonical(above + _SOME_NAME)


def shard_pattern(directory: str) -> str:
    """Return the pattern of ``directory`` (raw) as one of those that caches sort files called by a hash into, as in
    ``3/a2/b7f5…``; "" if its name is none of such. ``canonical`` cannot know: without the file, ``a2`` is any name."""
    name = directory[directory.rfind("/") + 1 :]
    if not 1 <= len(name) <= _MAX_SHARD or not _HEX_DIGITS.issuperset(name):
        return ""
    within = canonical(f"{directory}/{_SOME_HASH}")
    return within.removesuffix(_WITH_HASH) if within.endswith(_WITH_HASH) else ""


def shards_above(pattern: str) -> list[str]:
    """Return the patterns of those directories above the files of ``pattern``. Folding may have put ``*`` in place of
    one: it still is one, by what lies below."""
    if "/{h" not in pattern:
        return []
    found, segments, is_one = [], pattern.split("/"), False
    for place in range(len(segments) - 2, 0, -1):
        is_one = segments[place] in _SHARDS and (is_one or segments[place + 1].startswith(_HASHED))
        if is_one:
            found.append("/".join(segments[: place + 1]))
    return found


def _rules(path: str, hint: int = 0) -> re.Pattern[str]:
    """``hint``: there are no digits before it."""
    if "/proc/" in path and (path.startswith("/proc/") or _IN_PROC.search(path)):
        return _PROCFS
    if path.startswith(("/sys/", "/dev/")) and not path.startswith("/dev/shm/"):
        return _DEVICES
    if "\\" in path or "{" in path or "}" in path or "*" in path or path[:1] != "/":
        return _ANYWHERE
    return _BORDERS if _JOINED.search(path, max(0, hint - 1)) is None else _ANYWHERE  # else they find the same


def _is_process(path: str) -> bool:
    return path.startswith("/proc/") or path.endswith(_PROC_SECRETS)


def _replace(match: re.Match[str]) -> str:
    text, found = match.group(), _CLASSES.get(match.lastgroup or "")
    if found is not None:
        return text[: found[0]] + found[1]
    if match.lastgroup == "special":
        return f"\\{text}"
    return _judged(match.lastgroup, text)


def _replace_after_border(match: re.Match[str]) -> str:
    text, found = match.group(), _CLASSES.get(match.lastgroup or "")
    if found is not None:
        return text[: 1 + found[0]] + found[1]
    return text[0] + _judged(match.lastgroup, text[1:])


def _judged(scheme: str | None, text: str) -> str:
    """What becomes of a name whose scheme alone does not say it."""
    if scheme == "jvm":
        return f"{text[: text.rfind('/')]}/{{num}}"
    return "{tmp}" if _looks_random(text) else text


def _looks_random(text: str) -> bool:
    kinds = ["d" if char.isdigit() else "u" if char.isupper() else "l" for char in text]
    return sum(one != other for one, other in pairwise(kinds)) >= _MIXTURE
